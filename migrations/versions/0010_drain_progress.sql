create table stg.drain_progress (
    reader text not null,
    topic text not null,
    "partition" integer not null,
    topic_id text not null,
    next_offset bigint not null,
    last_offset bigint,
    last_hash uuid,
    end_offset bigint not null,
    load_dt timestamptz not null,
    primary key (reader, topic, "partition"),
    check ((last_offset is null) = (last_hash is null))
);
comment on table stg.drain_progress is 'How far a reader of a topic has come; written in the transaction that stores the messages';
comment on column stg.drain_progress.reader is 'orders: the run of every minute; backfill:<run>:<from>: one request for history, until it is done';
comment on column stg.drain_progress.topic is 'Topic of Kafka';
comment on column stg.drain_progress."partition" is 'Partition of the topic';
comment on column stg.drain_progress.topic_id is 'The topic''s uuid: new when a topic is created again under its name';
comment on column stg.drain_progress.next_offset is 'The first offset that is not read yet';
comment on column stg.drain_progress.last_offset is 'Offset of the last message read; NULL while there was none';
comment on column stg.drain_progress.last_hash is 'Hash of the last message: while Kafka still has it there, the log before it is the same';
comment on column stg.drain_progress.end_offset is 'High watermark when it was last looked at; the difference to next_offset is the lag';
comment on column stg.drain_progress.load_dt is 'When the row was written';

create table stg.drain_ends (
    topic text primary key,
    as_of timestamptz not null,
    checked_dt timestamptz not null
);
comment on table stg.drain_ends is 'When the run of every minute last had everything that the topic held';
comment on column stg.drain_ends.topic is 'Topic of Kafka';
comment on column stg.drain_ends.as_of is 'Just before that run asked Kafka for the ends: what was sent before is stored';
comment on column stg.drain_ends.checked_dt is 'When that run had reached the ends, also where there was nothing to read';

create table stg.lost_messages (
    id bigint generated always as identity primary key,
    topic text not null,
    topic_id text not null,
    "partition" integer not null,
    from_offset bigint not null,
    to_offset bigint not null,
    noticed_dt timestamptz not null,
    acknowledged_dt timestamptz,
    acknowledged_by text,
    comment text,
    unique (topic, topic_id, "partition", from_offset, to_offset),
    check (from_offset < to_offset)
);
comment on table stg.lost_messages is 'Messages that Kafka removed before they were read';
comment on column stg.lost_messages.id is 'Name of the loss for stg.acknowledge_loss';
comment on column stg.lost_messages.topic is 'Topic of Kafka';
comment on column stg.lost_messages.topic_id is 'The topic''s uuid at the time at which they were there';
comment on column stg.lost_messages."partition" is 'Partition of the topic';
comment on column stg.lost_messages.from_offset is 'The first offset lost';
comment on column stg.lost_messages.to_offset is 'The offset after the last one lost';
comment on column stg.lost_messages.noticed_dt is 'When a run found them gone';
comment on column stg.lost_messages.acknowledged_dt is 'When somebody took note; NULL breaks a law';
comment on column stg.lost_messages.acknowledged_by is 'The role that took note';
comment on column stg.lost_messages.comment is 'What was done about it';

create function stg.acknowledge_loss(loss_id bigint, what_was_done text) returns void
language plpgsql
as $$
begin
    update stg.lost_messages
    set acknowledged_dt = now(), acknowledged_by = session_user, comment = what_was_done
    where id = loss_id and acknowledged_dt is null;
    if not found then
        raise exception 'stg.lost_messages has no loss %% that waits to be acknowledged', loss_id;
    end if;
end;
$$;
comment on function stg.acknowledge_loss(bigint, text) is 'Takes note of a loss, so that its law holds again; for the owner of the warehouse';
revoke execute on function stg.acknowledge_loss(bigint, text) from public;

-- Where the log of messages is emptied, nothing was read: the progress belongs to it.
create function stg.forget_progress() returns trigger
language plpgsql
as $$
begin
    delete from stg.drain_progress;
    delete from stg.drain_ends;
    return null;
end;
$$;
comment on function stg.forget_progress() is 'Empties stg.drain_progress and stg.drain_ends';
revoke execute on function stg.forget_progress() from public;
create trigger forget_progress before truncate on stg.order_event_log
for each statement execute function stg.forget_progress();

grant select, insert, update, delete on stg.drain_progress to dwh_etl;
grant select, insert, update on stg.drain_ends to dwh_etl;
grant select, insert on stg.lost_messages to dwh_etl;
