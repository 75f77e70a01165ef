-- Tag rules of the demo: one row = a guest gets the tag with the next order of the category after `threshold` ones.
-- Rerun: changes nothing; a rule that somebody has changed or switched off stays so
insert into cdm.tag_rules (tag, category_name, threshold)
select
    demo.tag,
    demo.category_name,
    demo.threshold
from (
    values
    ('pizza_lover', 'Пицца', 5),
    ('pizza_expert', 'Пицца', 10),
    ('sushi_lover', 'Суши и роллы', 5),
    ('burger_lover', 'Бургеры', 5),
    ('pasta_lover', 'Паста', 4),
    ('grill_lover', 'Шашлык и гриль', 4),
    ('georgian_kitchen', 'Хачапури и хинкали', 3),
    ('wok_lover', 'Вок и лапша', 4),
    ('soup_lover', 'Супы', 7),
    ('salad_lover', 'Салаты', 7),
    ('sweet_tooth', 'Десерты', 7),
    ('early_bird', 'Завтраки', 3)
) as demo (tag, category_name, threshold)
where not exists (
    select 1
    from cdm.tag_rules as known
    where known.tag = demo.tag
);
