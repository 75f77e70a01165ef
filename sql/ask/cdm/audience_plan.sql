-- What some parts of the plan come to: lines of both files, how many of them change something at the channel, and the hash by which
-- a plan is known.
-- From: batch_plan
-- Grain: one row
-- Rerun: reads only
-- Params: parts
select
    count(*) filter (where part = 'add') as adds,
    count(*) filter (where part <> 'add') as removes,
    count(*) filter (where part = 'add' and is_change) as came,
    count(*) filter (where part <> 'add' and is_change) as went,
    encode(
        sha256(
            convert_to(
                coalesce(
                    string_agg(
                        case part when 'add' then '+' else '-' end || identifier,
                        E'\n'
                        order by identifier collate "C" asc, part asc
                    ),
                    ''
                ),
                'UTF8'
            )
        ),
        'hex'
    ) as plan_hash
from batch_plan
where part = any(%(parts)s::text[]);
