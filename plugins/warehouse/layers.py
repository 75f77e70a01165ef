"""The SQL files of every load, in the order in which they run: each is named here, once, and whoever runs it takes the record.

What a room of `sql/` is for stands in README.md, "Where things live". Every transaction begins with `TRANSACTION` (`Session`).
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

Files: TypeAlias = tuple[str, ...]
Listed: TypeAlias = "str | Iterable[Listed] | None"


SMALL_BATCH = "turn/small_batch.sql"
# Who was erased, which every intake asks, and what tells one state of that from another.
ERASURES, ERASURES_MARK = "ask/stg/erasures.sql", "ask/stg/erasures_mark.sql"


class FirstLoad(NamedTuple):
    """How an empty layer is filled: part by part in one transaction, and what is done after each part and at the end.

    `parts` is the question for what a part takes: (from_key, to_key, max_events); no answer = this is no first load.
    """

    parts: str
    end_part: Files
    end: Files


class Layer(NamedTuple):
    """A load from a queue: what opens the transaction, what claims a batch of the queue, and how that is loaded.

    `settle` ends the load of a batch; a first load has its own way to do that. `small` comes before the load of a small batch.
    """

    prepare: Files
    claim: Files
    load: Files
    settle: Files = ()
    first: FirstLoad | None = None
    small: Files = (SMALL_BATCH,)


class Intake(NamedTuple):
    """A chunk's way into STG: the tables that it is copied into, what works in these alone, and what enters STG, in its turn.

    `finish` is run once for the whole chunk, in the transaction that stores the last of it. `ledger`: who was erased, and whether
    that is still so.
    """

    prepare: Files
    alone: Files
    turn: Files
    finish: Files = ()
    ledger: Files = (ERASURES, ERASURES_MARK)


class Log(NamedTuple):
    """A log of STG that is judged again: the question that reads it whole, and what keeps of a chunk that which differs."""

    ask: str
    keep: str


class Judgement(NamedTuple):
    """The logs of STG, judged by the rules of today: read whole, compared chunk by chunk, put right in one turn."""

    prepare: Files
    messages: Log
    documents: Log
    turn: Files


def files_of(*listed: Listed) -> Files:
    """Return the files of records and lists of any depth, each once, in the order in which they stand there."""

    def each(part: Listed) -> Iterator[str]:
        if isinstance(part, str):
            yield part
        else:
            for inner in part or ():
                yield from each(inner)

    return tuple(dict.fromkeys(each(listed)))


TRANSACTION = "turn/transaction.sql"
LOAD_SETTINGS = "turn/load_settings.sql"
# For who reads everything in one snapshot: after TRANSACTION, before the first look.
WHOLE = "turn/whole.sql"
STG_LOCK = "turn/stg/lock.sql"
DDS_LOCK = "turn/dds/lock.sql"
CDM_LOCK = "turn/cdm/lock.sql"

# The erasure of a guest: the requests; what names the guest; the act.
ERASURE_REQUESTS = "ask/stg/erasure_requests.sql"
ERASURE_GUESTS = "ask/stg/erasure_guests.sql"
ERASURE_MESSAGES = "ask/stg/erasure_messages.sql"
ERASURE_NAMES = "ask/stg/erasure_names.sql"
ERASURE_LETTERS = "ask/stg/erasure_letters.sql"
ERASURES_DONE = "settle/stg/erasures_done.sql"
ERASURES_VACUUMED = "settle/stg/erasures_vacuumed.sql"
# The ledger to a place outside the database, and from there.
ERASURES_ACTS = "ask/stg/erasures_acts.sql"
ERASURES_RESTORED = "settle/stg/erasures_restored.sql"

# How far a drain has come: what is stored with its chunks and beside them.
DRAIN_POSITIONS = "ask/stg/drain_positions.sql"
DRAIN_PROGRESS = "stg/drain_progress.sql"
DRAIN_PROGRESS_DONE = "settle/stg/drain_progress_done.sql"
DRAIN_PROGRESS_ENDED = "settle/stg/drain_progress_ended.sql"
DRAIN_ENDS = "stg/drain_ends.sql"
LOST_MESSAGES = "stg/lost_messages.sql"

# What deploy/backup.py notes of each try, and data_checks of what it found and of how far it has come.
BACKUPS = "stg/backups.sql"
LAW_CHECKS = "stg/law_checks.sql"
CHECK_PROGRESS = "stg/check_progress.sql"
CHECKED_BEFORE = "ask/stg/check_progress.sql"
# What the laws are asked of that are asked of a part. They look up by index, as loads do.
CHECKED = (
    LOAD_SETTINGS,
    SMALL_BATCH,
    "batch/checks/batch_checked_orders.sql",
    "batch/checks/batch_checked_guests.sql",
)

# What to ask Redis for, and what of the answer is new; which dead letters to try again.
REFERENCE_WANTED = "ask/stg/reference_wanted.sql"
REFERENCE_UNSEEN = "ask/stg/reference_unseen.sql"
DEAD_LETTERS_LAST = "ask/stg/dead_letters_last.sql"
DEAD_LETTERS_WANTED = "ask/stg/dead_letters_wanted.sql"

# Tag rules: what they may name; whose turn it is to change one and who they are; how tags stand; how a rule is set (as draft,
# active or retired), its draft comes into force or is thrown away, it is retired, and is again what a version of it was.
RULE_CATEGORIES = "ask/cdm/rule_categories.sql"
TAG_RULES_LOCK = "turn/cdm/tag_rules_lock.sql"
TAG_RULES_NOW = "ask/cdm/tag_rules_now.sql"
TAG_RULES = "cdm/tag_rules.sql"
TAG_RULES_ACTIVATED = "settle/cdm/tag_rules_activated.sql"
TAG_RULES_DROPPED = "settle/cdm/tag_rules_dropped.sql"
TAG_RULES_RETIRED = "settle/cdm/tag_rules_retired.sql"
TAG_RULES_BACK = "settle/cdm/tag_rules_back.sql"

# Audiences: what the file says of them; who must not go where, as files say; whose turn a channel is.
AUDIENCES = "cdm/audiences.sql"
AUDIENCES_RETIRED = "settle/cdm/audiences_retired.sql"
AUDIENCES_NOW = "ask/cdm/audiences.sql"
INCOMING_SUPPRESSIONS = "batch/export/incoming_suppressions.sql"
UNREADABLE_SUPPRESSIONS = "ask/cdm/suppressions_unreadable.sql"
SUPPRESSIONS = "cdm/suppressions.sql"
INCOMING_CONSENTS = "batch/export/incoming_consents.sql"
CONSENTS = "cdm/consents.sql"
EXPORT_LOCK = "turn/export/lock.sql"
# An export: who goes, by whom they are told and what of that is new at the channel; what it comes to; what is stored of it.
AUDIENCE_PLANNED = (
    "settle/cdm/audience_exports_dropped.sql",
    "batch/export/batch_candidates.sql",
    "batch/export/batch_identified.sql",
    "batch/export/batch_wanted.sql",
    "batch/export/batch_plan.sql",
)
AUDIENCE_NOW = "ask/cdm/audience_now.sql"
AUDIENCE_PLAN = "ask/cdm/audience_plan.sql"
AUDIENCE_EXPORTS = "cdm/audience_exports.sql"
AUDIENCE_EXPORT_ROWS = "cdm/audience_export_rows.sql"
AUDIENCE_MEMBER_CHANGES = "cdm/audience_member_changes.sql"
AUDIENCE_EXPORTS_OPEN = "ask/cdm/audience_exports_open.sql"
AUDIENCE_EXPORT_ROWS_OF = "ask/cdm/audience_export_rows.sql"
AUDIENCE_EXPORT_ROWS_ERASED = "settle/cdm/audience_export_rows_erased.sql"
AUDIENCE_MEMBERS = ("cdm/audience_members.sql", "settle/cdm/audience_member_changes_made.sql")
AUDIENCE_EXPORTS_PUBLISHED = "settle/cdm/audience_exports_published.sql"
AUDIENCE_EXPORTS_OLD = "ask/cdm/audience_exports_old.sql"
AUDIENCE_EXPORTS_DELETED = "settle/cdm/audience_exports_deleted.sql"

INCOMING_ORDERS = "batch/stg/incoming_orders.sql"
INCOMING_REFERENCES = "batch/stg/incoming_references.sql"
INCOMING_DEAD_LETTERS = "batch/stg/incoming_dead_letters.sql"
DEAD_LETTERS = "stg/dead_letters.sql"
DEAD_LETTERS_TRIED = "settle/stg/dead_letters_tried.sql"
DEAD_LETTERS_BLANKED = "settle/stg/dead_letters_blanked.sql"
STG_SUMS = "rebuild/stg/sums.sql"

# What becomes of an accepted message, and of an accepted document.
ACCEPTED_ORDERS = (
    STG_LOCK,
    "batch/stg/incoming_hours.sql",
    "stg/order_hours.sql",
    "stg/order_statuses.sql",
    "stg/order_events.sql",
    "stg/order_event_log.sql",
    "stg/reference_keys.sql",
)
ACCEPTED_REFERENCE = (STG_LOCK, "stg/reference_log.sql", "settle/stg/reference_keys_found.sql")

# Messages of Kafka, with the progress of the drain, and documents of Redis; dead letters on their second way through the door.
ORDERS = Intake(
    prepare=(LOAD_SETTINGS, INCOMING_ORDERS, INCOMING_DEAD_LETTERS),
    alone=("batch/stg/incoming_withdrawn.sql", "batch/stg/incoming_newest.sql"),
    turn=(*ACCEPTED_ORDERS, DEAD_LETTERS, "settle/stg/dead_letters_solved.sql"),
)
DRAINED_ORDERS = ORDERS._replace(finish=(DRAIN_PROGRESS,))
REPLAYED_ORDERS = ORDERS._replace(turn=(*ACCEPTED_ORDERS, DEAD_LETTERS_TRIED))
REFERENCE = Intake(
    prepare=(LOAD_SETTINGS, INCOMING_REFERENCES, INCOMING_DEAD_LETTERS),
    alone=(),
    turn=(*ACCEPTED_REFERENCE, DEAD_LETTERS, "settle/stg/dead_letters_unread.sql"),
)
REPLAYED_REFERENCE = REFERENCE._replace(turn=(*ACCEPTED_REFERENCE, DEAD_LETTERS_TRIED))

# What STG holds, right again: its sums alone, or first its logs.
STG_RECOUNT = (STG_LOCK, STG_SUMS)
JUDGEMENT = Judgement(
    prepare=(INCOMING_ORDERS, INCOMING_REFERENCES, INCOMING_DEAD_LETTERS),
    messages=Log("ask/stg/order_event_log_all.sql", "batch/stg/judged_orders.sql"),
    documents=Log("ask/stg/reference_log_all.sql", "batch/stg/judged_references.sql"),
    turn=(STG_LOCK, "rebuild/stg/logs.sql", STG_SUMS),
)

# The vault. Hubs before links before satellites.
DDS = Layer(
    prepare=(LOAD_SETTINGS, DDS_LOCK),
    claim=("batch/dds/batch_events.sql",),
    load=(
        "batch/dds/batch_orders.sql",
        "batch/dds/batch_lines.sql",
        "batch/dds/batch_sold.sql",
        "batch/dds/batch_references.sql",
        "batch/dds/batch_menus.sql",
        "batch/dds/batch_names.sql",
        "batch/dds/batch_changed_products.sql",
        "turn/dds/suspend_keys.sql",
        "dds/h_order.sql",
        "dds/h_user.sql",
        "dds/h_product.sql",
        "dds/h_category.sql",
        "dds/h_restaurant.sql",
        "dds/l_order_user.sql",
        "dds/l_order_product.sql",
        "dds/l_product_category.sql",
        "dds/l_product_restaurant.sql",
        "dds/s_order_cost.sql",
        "dds/s_order_status.sql",
        "dds/s_user_names.sql",
        "dds/s_user_contacts.sql",
        "dds/s_product_names.sql",
        "dds/s_restaurant_names.sql",
        "dds/es_order_user.sql",
        "dds/es_order_product.sql",
        "dds/es_product_category.sql",
    ),
    settle=("batch/dds/batch_known_changes.sql", "dds/counter_queue.sql"),
    first=FirstLoad(
        parts="ask/dds/first_parts.sql",
        end_part=("turn/dds/end_part.sql",),
        end=("turn/dds/restore_keys.sql", "settle/dds/counter_queue_first.sql"),
    ),
)
# Everything is queued or set right first, in the same transaction.
DDS_REBUILD = DDS._replace(prepare=(*DDS.prepare, "rebuild/dds/queue.sql"))

# How many events a batch of the vault takes: few where a minute's run may wait for its end; all in a rebuild, and in the first
# load of a history, which has its keys off. That goes in parts of about a million: these take 1.2 GB of disk for the tables of
# the batch, and as much for sorts.
PART = {"part_events": 1_000_000}
BATCH = {"max_events": 50_000, "max_first_events": 50_000, **PART}
HISTORY_BATCH = {"max_events": 100_000, "max_first_events": None, **PART}
REBUILD_BATCH = {"max_events": None, "max_first_events": None, **PART}

# How guests stand under rules as of a moment, by folding their orders: what a run judges by, and what a rehearsal tells.
FOLD = (
    "turn/cdm/many_guests.sql",
    "batch/cdm/batch_category_orders.sql",
    "batch/cdm/batch_intervals.sql",
    "batch/cdm/batch_points.sql",
    "batch/cdm/batch_folds.sql",
)

# The marts. `prepare` sets the clock; whoever has to leave by it is in the queue before it is claimed.
CDM = Layer(
    prepare=(
        LOAD_SETTINGS,
        CDM_LOCK,
        "batch/cdm/batch_clock.sql",
        "settle/cdm/guest_due_queued.sql",
        "cdm/tag_clock.sql",
    ),
    claim=("batch/cdm/batch_claims.sql", "batch/cdm/batch_rules.sql"),
    load=(
        "settle/cdm/tag_clock_judged.sql",
        "batch/cdm/batch_waiting.sql",
        "batch/cdm/batch_guests.sql",
        "batch/cdm/batch_closed_lines.sql",
        "batch/cdm/batch_products.sql",
        "batch/cdm/batch_product_changes.sql",
        "batch/cdm/batch_category_changes.sql",
        "turn/cdm/suspend_keys.sql",
        "cdm/user_product_counters.sql",
        "cdm/user_category_counters.sql",
        "turn/cdm/restore_keys.sql",
        "cdm/product_totals.sql",
        "cdm/category_histogram.sql",
        "batch/cdm/batch_judged.sql",
        "batch/cdm/batch_tags.sql",
        "batch/cdm/batch_folded.sql",
        *FOLD,
        "batch/cdm/batch_timed.sql",
        "batch/cdm/batch_turns.sql",
        "settle/cdm/tag_events_revoked.sql",
        "cdm/tag_events.sql",
        "cdm/tag_days.sql",
        "cdm/user_tags.sql",
        "cdm/guest_due.sql",
    ),
)
# A minute's run judges changed rules of at most about so many guests, and leaves the rest to the next: orders and time don't wait
# for a file of hundreds of rules, nor does the task run into its limit over it.
MINUTE_RULES = {"max_rule_guests": 200_000}
# A rule is rehearsed by the same fold; what comes of it.
RULE_TO_REHEARSE = "ask/cdm/rule_to_rehearse.sql"
REHEARSAL = (
    "batch/rehearsal/batch_judged.sql",
    "batch/rehearsal/batch_dishes.sql",
    "batch/rehearsal/batch_folded.sql",
    *FOLD,
    "cdm/rehearsals.sql",
    "cdm/rehearsal_weeks.sql",
    "cdm/rehearsal_overlaps.sql",
    "cdm/rehearsal_near.sql",
)
REHEARSED = "ask/cdm/rehearsal.sql"

# As of when the tags stand; why a guest has one or not yet.
TAG_CLOCK = "ask/cdm/tag_clock.sql"
GUEST_LOOKS_NOTED = "settle/stg/guest_looks_noted.sql"
WHY = "ask/cdm/why.sql"
WHY_PROGRESS = "ask/cdm/why_progress.sql"

CDM_SUMS = "rebuild/cdm/sums.sql"
CDM_REBUILD = CDM._replace(prepare=(*CDM.prepare, CDM_SUMS, "rebuild/cdm/queue.sql"))
