-- What was to become of the members has become of them.
-- Rerun: changes nothing
-- Params: audience
delete from cdm.audience_member_changes
where audience = %(audience)s;
