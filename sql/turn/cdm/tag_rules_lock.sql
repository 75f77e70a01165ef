-- People who change rules take turns until the end of the transaction, so that what one has looked at is what they change; and the
-- person is named in what changes, not the role of the pipeline. Runs go on reading the rules.
-- Rerun: harmless
-- Params: changed_by (NULL or empty: the role)
select set_config('dwh.changed_by', coalesce(%(changed_by)s::text, ''), true);

lock table cdm.tag_rules in share row exclusive mode;
