-- One row = an export: planned, or held back for somebody to approve or until it is large enough.
-- Grain: audience, seq
-- Rerun: what was planned before is taken back first: audience_exports_dropped.sql
-- Params: audience, seq, mode, status, as_of, planned_dt, adds, removes, members_after, skipped, plan_hash, planned_by
insert into cdm.audience_exports (
    audience,
    seq,
    mode,
    status,
    as_of,
    planned_dt,
    adds,
    removes,
    members_after,
    skipped,
    plan_hash,
    planned_by
)
values (
    %(audience)s,
    %(seq)s,
    %(mode)s,
    %(status)s,
    %(as_of)s,
    %(planned_dt)s,
    %(adds)s,
    %(removes)s,
    %(members_after)s,
    %(skipped)s::jsonb,
    %(plan_hash)s,
    %(planned_by)s
);
