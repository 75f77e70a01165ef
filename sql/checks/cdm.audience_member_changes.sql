-- Law cdm.audience_member_changes: nobody waits to become a member but by an export that is planned.
-- Over: all
-- Params: none
select
    changes.audience,
    changes.user_id
from cdm.audience_member_changes as changes
where
    not exists (
        select 1
        from cdm.audience_exports as exports
        where
            exports.audience = changes.audience
            and exports.status = 'planned'
    );
