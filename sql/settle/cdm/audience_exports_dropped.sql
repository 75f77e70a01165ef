-- What was planned or held and has not been published is planned anew, by what holds now.
-- Rerun: changes nothing
-- Params: audience
delete from cdm.audience_export_rows as rows_of
using cdm.audience_exports as exports
where
    exports.audience = %(audience)s
    and exports.status <> 'published'
    and rows_of.audience = exports.audience
    and rows_of.seq = exports.seq;

delete from cdm.audience_exports
where
    audience = %(audience)s
    and status <> 'published';

delete from cdm.audience_member_changes
where audience = %(audience)s;
