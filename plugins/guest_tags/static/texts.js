// Every word of the page in both languages, and how numbers and times are written in them. Names of tags, categories, dishes
// and statuses are data and stay as they are.

const PLURALS = {
  en: {
    orders: { one: "order", other: "orders" },
    closed: { one: "closed order", other: "closed orders" },
    more: { one: "more closed order", other: "more closed orders" },
    guests: { one: "guest", other: "guests" },
    lose: { one: "guest loses", other: "guests lose" },
    over: { one: "closed order", other: "closed orders" },
    days: { one: "day", other: "days" },
    drafts: { one: "draft", other: "drafts" },
    runs: { one: "run", other: "runs" },
  },
  ru: {
    orders: { one: "заказ", few: "заказа", many: "заказов", other: "заказа" },
    closed: { one: "закрытый заказ", few: "закрытых заказа", many: "закрытых заказов", other: "закрытого заказа" },
    more: { one: "закрытый заказ", few: "закрытых заказа", many: "закрытых заказов", other: "закрытого заказа" },
    guests: { one: "гость", few: "гостя", many: "гостей", other: "гостя" },
    lose: { one: "гость потеряет", few: "гостя потеряют", many: "гостей потеряют", other: "гостя потеряют" },
    over: { one: "закрытого заказа", few: "закрытых заказов", many: "закрытых заказов", other: "закрытого заказа" },
    days: { one: "день", few: "дня", many: "дней", other: "дня" },
    drafts: { one: "черновик", few: "черновика", many: "черновиков", other: "черновика" },
    runs: { one: "запуск", few: "запуска", many: "запусков", other: "запуска" },
  },
};

const TEXTS = {
  en: {
    title: "Guest tags",
    lead: "Who carries which tag, who is about to, and whether the numbers can be trusted.",
    skip: "To the numbers",
    nav: "Parts of the page",
    "tab.rules": "Rules",
    "tab.guest": "One guest",
    "tab.state": "State",
    "tab.numbers": "Numbers",
    language: "Language",
    refresh: "Refresh",
    updated: (time) => `Updated at ${time}`,
    notUpdated: (time) => `Not updated since ${time}`,
    neverUpdated: "Not updated yet",
    printed: (time, zone) => `Printed at ${time}, ${zone}`,
    stale: (time) => `The numbers are those of ${time}.`,
    "stale.never": "No numbers yet.",
    retry: "Try again",
    window: "Period",
    "days.1": "Day",
    "days.7": "Week",
    "days.30": "30 days",
    "days.366": "Year",
    asTable: "As a table",
    day: "Day (UTC)",
    time: "Time",
    guests: "Guests",
    orders: "Orders",
    category: "Category",
    tag: "Tag",
    never: "not yet",
    footer: (zone) => `Times are in ${zone}, days are UTC days. Guests are shown by id only.`,

    "error.unreachable": "The warehouse does not answer. Check that PostgreSQL is up and the connection postgres_dwh_bi is right.",
    "error.not_connected": "Airflow has no connection postgres_dwh_bi. It is the warehouse read as dwh_bi: docs/page.md.",
    "error.not_migrated": "The warehouse lacks the views of this page. Run the migrations: alembic upgrade head.",
    "error.too_slow": "The warehouse took too long to answer. Try again in a minute.",
    "error.busy": "Too many people are looking at once. Try again in a moment.",
    "error.session": "Your session has ended or you may not see this page. Log in to Airflow again.",
    "error.offline": "Airflow does not answer. Check the network and try again.",
    "error.timeout": "There is no answer for 15 s. Airflow or the network is very slow.",
    "error.forbidden": "Airflow does not let you see this.",
    "error.missing": (dag) => `${dag ?? "That"} is not there. Is this release deployed whole?`,
    "error.invalid": "Airflow does not take this.",
    "error.unexpected": "Something went wrong that nobody has thought of. The log of the API server says what.",

    "state.title": "State",
    "state.lead": "Up to when everything that was sent is judged (promised: within two minutes), what waits, and what to do.",
    "state.judged": "Judged up to",
    "state.ago": (age) => `${age} ago`,
    "state.kafka": "Waiting in Kafka",
    "state.messages": "Messages waiting",
    "state.recount": "Guests waiting",
    "state.rules": "Rules waiting",
    "state.order": "Newest order",
    "state.event": "Tag changed",
    "state.runs": "Runs, last hour",
    "state.noruns": "None. orders_micro_batch runs every minute while it is switched on.",
    "state.runs.told": (runs, failed, longest) => `${runs}, ${failed} failed, the longest took ${longest}`,
    "state.laws": "Laws of the data",
    "state.laws.hold": (laws, at) => `All ${laws} hold, checked ${at}.`.replace("  ", " "),
    "state.laws.broken": "Some are broken; the log says which.",
    "state.laws.never": "Not checked yet.",
    "state.checks.do": "Check now",
    "state.refused": "Refused",
    "state.refused.some": (n) => `${n} unsolved; their reasons stand below under Dead letters.`,
    "state.refused.none": "Nothing unsolved.",
    "state.letters.do": "Try them again",
    "state.todo": "What to do",
    "strip": "Can the numbers be trusted",
    "strip.on": "Switch on",
    "strip.log": "Open the log",
    "strip.run": "Open the run",
    "dialog.on": (dag) => `Switch ${dag} on?`,
    "dialog.on.what": "It takes up where it stopped: nothing is lost, and nothing counts twice.",
    "dialog.no": "Not now",
    "act.checking": "Is being sent.",
    "act.queued": "Sent, waits for its turn.",
    "act.running": "Running.",
    "act.paused": (dag) => `${dag} is switched off in Airflow; the request waits until it is on.`,
    "act.failed": "Failed.",
    "act.refused": (why) => `Refused: ${why}`,
    "act.lost": "No answer yet. The run goes on without this page.",
    "act.forbidden": (dag) => `You may look, not change. Needed: the right to trigger ${dag}.`,
    "act.checks.done": ({ laws }) => (laws === undefined ? "Not checked: the vault is being built again." : `All ${number(laws)} laws hold.`),
    "act.letters.done": ({ tried = 0, solved = 0, refused = 0 }) => `Tried ${number(tried)}, solved ${number(solved)}, refused ${number(refused)}.`,
    since: (time) => `since ${time}`,

    "rules.title": "Rules",
    "rules.lead": "Who gets which tag, and who carries it. A draft changes nothing until it is activated.",
    "rules.count": (active, drafts, retired) => `${active} active, ${drafts}, ${retired} retired`,
    "rules.find": "Find a tag",
    "rules.new": "New rule",
    "rules.empty": "No rules yet. Make the first one; nothing goes live before you say so.",
    "rules.none": "No rule is like that.",
    "rules.carry": "Carry it",
    "rules.gained": "Got it, 7 days",
    "rules.lost": "Lost it, 7 days",
    "rules.short": "1 order short",
    "rules.version": (version) => `version ${version}`,
    "rules.retired": (at, who) => `retired ${at} by ${who}`,
    "rules.draft": (at, who) => `draft of ${at} by ${who}`,
    "rules.waiting": "In force with the next run, within a minute.",
    "rules.off": "Saved. It comes into force when orders_micro_batch runs again.",
    "rules.discarded": "The draft is thrown away.",
    "rules.more": (tag) => `More for ${tag}`,
    "rules.faster": (who, tag, at, version) => `${who} changed ${tag} at ${at} (version ${version}). Look at that first.`,
    "rules.do.change": "Change",
    "rules.do.look": "Look",
    "rules.do.activate": "Activate…",
    "rules.do.discard": "Throw away",
    "rules.do.back": "Bring back",
    "rules.do.versions": "Versions",
    "rules.do.retire": "Retire",
    "rules.do.guests": "Guests",
    "status.any": "Any status",
    "status.active": "active",
    "status.draft": "draft",
    "status.retired": "retired",

    "rule.guests": (closed, category) => `Guests with more than ${closed} of ${category}`,
    "rule.window": (days, counted) => ` in the last ${days === 1 ? "day" : counted}`,
    "rule.exit": (exit, shown) => `; the tag stays while ${exit === 0 ? "any remains" : `more than ${shown} ${exit === 1 ? "remains" : "remain"}`}`,
    "rule.gives": (nth) => `The ${nth} order gives the tag`,

    "form.new.title": "New rule",
    "form.change": (tag) => `Change ${tag}`,
    "form.harmless": "A draft: changes nothing",
    "form.choose": "Choose one",
    "form.other": "Another one",
    "form.new": "No menu has it yet",
    "form.category.fixed": "Another category is another tag: make a new one.",
    "form.threshold": "More than so many closed orders",
    "form.days": "Only orders of the last",
    "form.days.unit": "days",
    "form.exit": "Keep the tag while more than",
    "form.exit.unit": "orders remain",
    "form.comment": "Comment",
    "form.save": "Save draft",
    "form.activate": "Activate…",
    "form.savefirst": "Save the draft first.",
    "form.close": "Close",
    "form.today": (guests) => `${guests} today (exact)`,
    "form.unknown": "How many guests that is will be seen when it is in force.",
    "draft.saved": "Draft saved. Nothing changes until you activate it.",

    "wrong.tag.empty": "Write a name for the tag.",
    "wrong.tag.signs": (n) => `At most ${n} characters that can be seen.`,
    "wrong.tag.near": (other) => `${other} differs only by case, blanks or the form of its letters. Change that one instead?`,
    "wrong.tag.mixed": (tag) => `${tag} mixes Latin and Cyrillic letters.`,
    "wrong.category.empty": "Choose a category.",
    "wrong.category.near": (name, other) => `No menu has “${name}”. Did you mean “${other}”?`,
    "wrong.category.none": (name) => `No menu has “${name}”. If one is to come, tick that no menu has it yet.`,
    "wrong.threshold": "A whole number from 0 on.",
    "wrong.days": (from, to) => `From ${from} to ${to} days.`,
    "wrong.exit": (most) => `At most ${most}: the tag cannot leave before it came.`,
    "wrong.comment": (n) => `At most ${n} characters.`,

    "activate.title": (tag) => `Activate ${tag}?`,
    "activate.now": (rule) => `Now: ${rule}.`,
    "activate.then": (rule) => `Then: ${rule}.`,
    "activate.norule": "nobody gets this tag",
    "activate.when": "It comes into force with the next run, for all guests at once. You can take it back.",
    "activate.yes": "Activate",
    "retire.title": (tag) => `Retire ${tag}?`,
    "retire.what": (guests, tag) => `${guests} ${tag} with the next run.`,
    "discard.title": (tag) => `Throw the draft of ${tag} away?`,
    "back.title": (tag, version) => `Take ${tag} back to version ${version}?`,
    "back.yes": "Go back to this",
    "came.since": (at) => `In force since ${at}.`,
    "came.only": (came) => `Came ${came}.`,
    "came.undo": "Take it back",
    "versions.title": (tag) => `Versions of ${tag}`,
    "versions.version": "Version",
    "versions.says": "Rule",
    "versions.who": "Who",
    "versions.none": "Nothing is known of this tag.",
    "dialog.close": "Close",
    "note.draft": (rule) => `Asked for on the page: save as a draft. ${rule}`,
    "note.activate": (tag, rule) => `Asked for on the page: activate ${tag}. ${rule}`,
    "note.retire": (tag) => `Asked for on the page: retire ${tag}`,
    "note.discard": (tag) => `Asked for on the page: throw the draft of ${tag} away`,
    "note.back": (tag, version) => `Asked for on the page: take ${tag} back to version ${version}`,

    "audience.title": "Audiences over time",
    "audience.lead": "Guests who carried the tag at the end of each day.",
    "audience.empty": "No tag was given in this period. Tags are given by orders_micro_batch every minute and by orders_backfill.",
    "audience.choose": "Tags to show",
    "audience.chart": (tags, from, to) => `Line chart: guests with ${tags}, from ${from} to ${to}. The same numbers are in the table below.`,
    "audience.assigned": "given",
    "audience.revoked": "taken back",

    "categories.title": "Top categories",
    "categories.lead": "Closed orders of all guests; an order counts once in each of its categories.",
    "categories.empty": "No closed order has a dish whose category is known.",
    "dishes.title": "Top dishes",
    "dishes.lead": "The same by dish.",
    "dishes.empty": "There are no closed orders yet.",
    "dishes.dish": "Dish",
    "dishes.nomenu": "on no menu",

    "orders.title": "Orders by status",
    "orders.lead": "By the hour in which the order began, up to the newest; longer periods by UTC day.",
    "orders.empty": "No orders in this period. Start orders_backfill from its form, or switch on orders_micro_batch.",
    "orders.chart": (total, from, to) => `Stacked bar chart: ${total} by status, from ${from} to ${to}. The same numbers are in the table below.`,
    "orders.status": "Status",
    "orders.cost": "Cost",

    "deadLetters.title": "Dead letters",
    "deadLetters.lead": "Messages that were refused, by reason. dead_letters_replay tries them again.",
    "deadLetters.empty": "No message was ever refused.",
    "deadLetters.reason": "Reason",
    "deadLetters.unsolved": "Unsolved",
    "deadLetters.solved": "Solved",
    "deadLetters.last": "Last",

    "notCounted.title": "What does not count, and why",
    "notCounted.lead": "A tag counts closed orders with dishes of known categories.",
    "notCounted.empty": "Everything that arrived counts.",
    "notCounted.why": "Why",
    "notCounted.amount": "Amount",
    "reason.not_closed": "Not closed",
    "reason.empty_basket": "Closed, but the basket is empty",
    "reason.no_category": "The dish has no known category",
    "reason.waiting": "Waits to be loaded",
    "reason.refused": "Refused: dead letters",
    "unit.orders": "orders",
    "unit.order lines": "order lines",
    "unit.messages": "messages",

    "guest.title": "One guest: why this tag, and what is missing",
    "guest.lead": "By the app's own id; there are no names here.",
    "guest.label": "Guest id",
    "guest.find": "Find",
    "guest.examples": "Newest guests with the tag",
    "guest.blank": "Write an id.",
    "guest.unknown": "Nothing is counted for this id. Either it is wrong, or the guest has no closed order yet.",
    "guest.progress": "Progress",
    "guest.progress.caption": (id) => `Tags and counted orders of guest ${id}`,
    "guest.events": "History",
    "guest.events.caption": (id) => `Tags that guest ${id} got and lost`,
    "guest.noevents": "No tag was given or taken back yet.",
    "guest.state": "State",
    "guest.since": (day, has, category, needs) => `Has it since ${day}: ${has} of ${category}, more than ${needs}.`,
    "guest.has": (has, category, needs) => `Has it: ${has} of ${category}, more than ${needs}.`,
    "guest.comes": "Gets it with the next run.",
    "guest.lost": (day) => `Had it, lost it on ${day}.`,
    "guest.lacks": (n, category, has, needs) => `Not yet: ${n} of ${category} (has ${has}, needs over ${needs}).`,
    "guest.asof": (time) => `As known at ${time}; asked again every minute.`,
    "guest.copy": "Copy for support",
    "guest.copied": "Copied.",
    "guest.norule": "no rule for this category",
    "guest.assigned": "given",
    "guest.revoked": "taken back",
    "guest.event": "What",
    "guest.evidence": "Evidence",
    "guest.because": (has, category, threshold, version) => `${has} of ${category}, threshold ${threshold}, rule version ${version}`,
  },
  ru: {
    title: "Теги гостей",
    lead: "Кто какой тег носит, кому осталось чуть-чуть и можно ли верить числам.",
    skip: "К числам",
    nav: "Части страницы",
    "tab.rules": "Правила",
    "tab.guest": "Один гость",
    "tab.state": "Состояние",
    "tab.numbers": "Числа",
    language: "Язык",
    refresh: "Обновить",
    updated: (time) => `Обновлено в ${time}`,
    notUpdated: (time) => `Не обновлялось с ${time}`,
    neverUpdated: "Ещё не обновлялось",
    printed: (time, zone) => `Напечатано в ${time}, ${zone}`,
    stale: (time) => `Числа на ${time}.`,
    "stale.never": "Чисел пока нет.",
    retry: "Повторить",
    window: "Период",
    "days.1": "Сутки",
    "days.7": "Неделя",
    "days.30": "30 дней",
    "days.366": "Год",
    asTable: "Таблицей",
    day: "День (UTC)",
    time: "Время",
    guests: "Гости",
    orders: "Заказы",
    category: "Категория",
    tag: "Тег",
    never: "ещё нет",
    footer: (zone) => `Время — ${zone}, дни — по UTC. Гости показаны только по id.`,

    "error.unreachable": "Хранилище не отвечает. Проверьте, что PostgreSQL работает и подключение postgres_dwh_bi верно.",
    "error.not_connected": "В Airflow нет подключения postgres_dwh_bi. Это хранилище под ролью dwh_bi: docs/page.md.",
    "error.not_migrated": "В хранилище нет представлений этой страницы. Выполните миграции: alembic upgrade head.",
    "error.too_slow": "Хранилище отвечает слишком долго. Повторите через минуту.",
    "error.busy": "Слишком много запросов сразу. Повторите чуть позже.",
    "error.session": "Сеанс закончился, или у вас нет прав на эту страницу. Войдите в Airflow снова.",
    "error.offline": "Airflow не отвечает. Проверьте сеть и повторите.",
    "error.timeout": "Ответа нет 15 с. Airflow или сеть очень медленны.",
    "error.forbidden": "Airflow не даёт вам это увидеть.",
    "error.missing": (dag) => `Нет ${dag ?? "того, что нужно"}. Весь ли этот выпуск развёрнут?`,
    "error.invalid": "Airflow этого не принимает.",
    "error.unexpected": "Случилось непредвиденное. Что именно — в журнале API-сервера.",

    "state.title": "Состояние",
    "state.lead": "По какой момент учтено всё, что было отправлено (обещано: в пределах двух минут), что ждёт и что делать.",
    "state.judged": "Учтено по",
    "state.ago": (age) => `${age} назад`,
    "state.kafka": "Ждёт в Kafka",
    "state.messages": "Сообщений ждёт",
    "state.recount": "Гостей ждёт",
    "state.rules": "Правил ждёт",
    "state.order": "Новейший заказ",
    "state.event": "Смена тега",
    "state.runs": "Запуски за час",
    "state.noruns": "Ни одного. orders_micro_batch запускается каждую минуту, пока включён.",
    "state.runs.told": (runs, failed, longest) => `${runs}, упало ${failed}, самый долгий — ${longest}`,
    "state.laws": "Законы данных",
    "state.laws.hold": (laws, at) => `Выполняются все ${laws}, проверено ${at}.`.replace("  ", " "),
    "state.laws.broken": "Некоторые нарушены; какие — в логе.",
    "state.laws.never": "Ещё не проверялись.",
    "state.checks.do": "Проверить сейчас",
    "state.refused": "Отказы",
    "state.refused.some": (n) => `Не решено ${n}; причины — ниже, в «Отказах».`,
    "state.refused.none": "Нерешённых нет.",
    "state.letters.do": "Попробовать ещё раз",
    "state.todo": "Что делать",
    "strip": "Можно ли верить числам",
    "strip.on": "Включить",
    "strip.log": "Открыть лог",
    "strip.run": "Открыть запуск",
    "dialog.on": (dag) => `Включить ${dag}?`,
    "dialog.on.what": "Он продолжит с того места, где остановился: ничего не потеряется и не посчитается дважды.",
    "dialog.no": "Не сейчас",
    "act.checking": "Отправляется.",
    "act.queued": "Отправлено, ждёт очереди.",
    "act.running": "Выполняется.",
    "act.paused": (dag) => `${dag} выключен в Airflow; запрос ждёт, пока его включат.`,
    "act.failed": "Не удалось.",
    "act.refused": (why) => `Отказ: ${why}`,
    "act.lost": "Ответа пока нет. Запуск продолжается без этой страницы.",
    "act.forbidden": (dag) => `Вы можете смотреть, но не менять. Нужно право запускать ${dag}.`,
    "act.checks.done": ({ laws }) => (laws === undefined ? "Не проверено: хранилище пересобирается." : `Выполняются все ${number(laws)}.`),
    "act.letters.done": ({ tried = 0, solved = 0, refused = 0 }) => `Испытано ${number(tried)}, решено ${number(solved)}, отказано ${number(refused)}.`,
    since: (time) => `с ${time}`,

    "rules.title": "Правила",
    "rules.lead": "Кто получает какой тег и кто его носит. Черновик ничего не меняет, пока его не включат.",
    "rules.count": (active, drafts, retired) => `действует ${active}, ${drafts}, снято ${retired}`,
    "rules.find": "Найти тег",
    "rules.new": "Новое правило",
    "rules.empty": "Правил ещё нет. Создайте первое: пока вы не включите его, ничего не изменится.",
    "rules.none": "Таких правил нет.",
    "rules.carry": "Носят",
    "rules.gained": "Получили, 7 дней",
    "rules.lost": "Потеряли, 7 дней",
    "rules.short": "Не хватает 1 заказа",
    "rules.version": (version) => `версия ${version}`,
    "rules.retired": (at, who) => `снято ${at}, ${who}`,
    "rules.draft": (at, who) => `черновик от ${at}, ${who}`,
    "rules.waiting": "Вступит в силу со следующим запуском, в течение минуты.",
    "rules.off": "Сохранено. Вступит в силу, когда снова заработает orders_micro_batch.",
    "rules.discarded": "Черновик выброшен.",
    "rules.more": (tag) => `Ещё для ${tag}`,
    "rules.faster": (who, tag, at, version) => `Пользователь ${who} изменил ${tag} в ${at} (версия ${version}). Сначала посмотрите её.`,
    "rules.do.change": "Изменить",
    "rules.do.look": "Посмотреть",
    "rules.do.activate": "Включить…",
    "rules.do.discard": "Выбросить",
    "rules.do.back": "Вернуть",
    "rules.do.versions": "Версии",
    "rules.do.retire": "Снять",
    "rules.do.guests": "Гости",
    "status.any": "Любой статус",
    "status.active": "действует",
    "status.draft": "черновик",
    "status.retired": "снято",

    "rule.guests": (closed, category) => `Гости, у которых больше ${closed} категории «${category}»`,
    "rule.window": (days, counted) => ` за ${days === 1 ? "последний день" : `последние ${counted}`}`,
    "rule.exit": (exit, shown) => `; тег держится, пока ${exit === 0 ? "остаётся хоть один" : `их больше ${shown}`}`,
    "rule.gives": (nth) => `Тег даёт ${nth} заказ`,

    "form.new.title": "Новое правило",
    "form.change": (tag) => `Изменить ${tag}`,
    "form.harmless": "Черновик: ничего не меняет",
    "form.choose": "Выберите",
    "form.other": "Другая",
    "form.new": "Её ещё нет в меню",
    "form.category.fixed": "Другая категория — это другой тег: создайте новый.",
    "form.threshold": "Больше скольких закрытых заказов",
    "form.days": "Только заказы за последние",
    "form.days.unit": "дней",
    "form.exit": "Держать тег, пока заказов больше",
    "form.exit.unit": "заказов",
    "form.comment": "Комментарий",
    "form.save": "Сохранить черновик",
    "form.activate": "Включить…",
    "form.savefirst": "Сначала сохраните черновик.",
    "form.close": "Закрыть",
    "form.today": (guests) => `сегодня ${guests} (точно)`,
    "form.unknown": "Сколько это гостей, будет видно, когда правило вступит в силу.",
    "draft.saved": "Черновик сохранён. Пока вы его не включите, ничего не изменится.",

    "wrong.tag.empty": "Напишите имя тега.",
    "wrong.tag.signs": (n) => `Не больше ${n} видимых знаков.`,
    "wrong.tag.near": (other) => `${other} отличается только регистром, пробелами или формой букв. Изменить его?`,
    "wrong.tag.mixed": (tag) => `В ${tag} смешаны латиница и кириллица.`,
    "wrong.category.empty": "Выберите категорию.",
    "wrong.category.near": (name, other) => `Ни в одном меню нет «${name}». Может быть, «${other}»?`,
    "wrong.category.none": (name) => `Ни в одном меню нет «${name}». Если она появится, отметьте, что её ещё нет.`,
    "wrong.threshold": "Целое число от 0.",
    "wrong.days": (from, to) => `От ${from} до ${to} дней.`,
    "wrong.exit": (most) => `Не больше ${most}: тег не может уйти раньше, чем пришёл.`,
    "wrong.comment": (n) => `Не больше ${n} знаков.`,

    "activate.title": (tag) => `Включить ${tag}?`,
    "activate.now": (rule) => `Сейчас: ${rule}.`,
    "activate.then": (rule) => `Станет: ${rule}.`,
    "activate.norule": "этот тег никто не получает",
    "activate.when": "Вступит в силу со следующим запуском, сразу для всех гостей. Это можно вернуть.",
    "activate.yes": "Включить",
    "retire.title": (tag) => `Снять ${tag}?`,
    "retire.what": (guests, tag) => `${guests} ${tag} со следующим запуском.`,
    "discard.title": (tag) => `Выбросить черновик ${tag}?`,
    "back.title": (tag, version) => `Вернуть ${tag} к версии ${version}?`,
    "back.yes": "Вернуть эту",
    "came.since": (at) => `Действует с ${at}.`,
    "came.only": (came) => `Вышло ${came}.`,
    "came.undo": "Вернуть как было",
    "versions.title": (tag) => `Версии ${tag}`,
    "versions.version": "Версия",
    "versions.says": "Правило",
    "versions.who": "Кто",
    "versions.none": "Об этом теге ничего не известно.",
    "dialog.close": "Закрыть",
    "note.draft": (rule) => `Запрошено на странице: сохранить черновик. ${rule}`,
    "note.activate": (tag, rule) => `Запрошено на странице: включить ${tag}. ${rule}`,
    "note.retire": (tag) => `Запрошено на странице: снять ${tag}`,
    "note.discard": (tag) => `Запрошено на странице: выбросить черновик ${tag}`,
    "note.back": (tag, version) => `Запрошено на странице: вернуть ${tag} к версии ${version}`,

    "audience.title": "Аудитории по дням",
    "audience.lead": "Сколько гостей носило тег в конце каждого дня.",
    "audience.empty": "За этот период тегов не выдавали. Их выдают orders_micro_batch каждую минуту и orders_backfill.",
    "audience.choose": "Какие теги показать",
    "audience.chart": (tags, from, to) => `Линейный график: гости с тегами ${tags}, с ${from} по ${to}. Те же числа — в таблице ниже.`,
    "audience.assigned": "выдано",
    "audience.revoked": "снято",

    "categories.title": "Популярные категории",
    "categories.lead": "Закрытые заказы всех гостей; заказ считается один раз в каждой своей категории.",
    "categories.empty": "Нет закрытых заказов с блюдами известных категорий.",
    "dishes.title": "Популярные блюда",
    "dishes.lead": "То же по блюдам.",
    "dishes.empty": "Закрытых заказов ещё нет.",
    "dishes.dish": "Блюдо",
    "dishes.nomenu": "нет ни в одном меню",

    "orders.title": "Заказы по статусам",
    "orders.lead": "По часу, в который заказ начался, до новейшего; длинные периоды — по дням UTC.",
    "orders.empty": "За этот период заказов нет. Запустите orders_backfill формой или включите orders_micro_batch.",
    "orders.chart": (total, from, to) => `Столбчатый график: ${total} по статусам, с ${from} по ${to}. Те же числа — в таблице ниже.`,
    "orders.status": "Статус",
    "orders.cost": "Сумма",

    "deadLetters.title": "Отказы",
    "deadLetters.lead": "Сообщения, которые нельзя принять, по причинам. Ещё раз их пробует dead_letters_replay.",
    "deadLetters.empty": "Ни одного сообщения не отвергнуто.",
    "deadLetters.reason": "Причина",
    "deadLetters.unsolved": "Не решено",
    "deadLetters.solved": "Решено",
    "deadLetters.last": "Последнее",

    "notCounted.title": "Что не считается и почему",
    "notCounted.lead": "Тег считает закрытые заказы с блюдами известных категорий.",
    "notCounted.empty": "Всё, что пришло, считается.",
    "notCounted.why": "Почему",
    "notCounted.amount": "Сколько",
    "reason.not_closed": "Не закрыт",
    "reason.empty_basket": "Закрыт, но корзина пуста",
    "reason.no_category": "Категория блюда неизвестна",
    "reason.waiting": "Ждёт загрузки",
    "reason.refused": "Отвергнуто",
    "unit.orders": "заказы",
    "unit.order lines": "строки заказов",
    "unit.messages": "сообщения",

    "guest.title": "Один гость: почему этот тег и чего не хватает",
    "guest.lead": "По id из приложения; имён здесь нет.",
    "guest.label": "Id гостя",
    "guest.find": "Найти",
    "guest.examples": "Новейшие гости с тегом",
    "guest.blank": "Введите id.",
    "guest.unknown": "Для этого id ничего не посчитано: либо он неверен, либо у гостя ещё нет закрытых заказов.",
    "guest.progress": "Что есть и чего не хватает",
    "guest.progress.caption": (id) => `Теги и посчитанные заказы гостя ${id}`,
    "guest.events": "История",
    "guest.events.caption": (id) => `Теги, выданные гостю ${id} и снятые с него`,
    "guest.noevents": "Теги ещё не выдавали и не снимали.",
    "guest.state": "Состояние",
    "guest.since": (day, has, category, needs) => `Носит с ${day}: ${has} категории «${category}», больше ${needs}.`,
    "guest.has": (has, category, needs) => `Носит: ${has} категории «${category}», больше ${needs}.`,
    "guest.comes": "Получит со следующим запуском.",
    "guest.lost": (day) => `Носил, снят ${day}.`,
    "guest.lacks": (n, category, has, needs) => `Пока нет: нужно ещё ${n} категории «${category}» (есть ${has}, нужно больше ${needs}).`,
    "guest.asof": (time) => `По данным на ${time}; обновляется каждую минуту.`,
    "guest.copy": "Скопировать для поддержки",
    "guest.copied": "Скопировано.",
    "guest.norule": "для категории нет правила",
    "guest.assigned": "выдан",
    "guest.revoked": "снят",
    "guest.event": "Что",
    "guest.evidence": "Доказательство",
    "guest.because": (has, category, threshold, version) => `${has}, ${category}; порог ${threshold}, версия правила ${version}`,
  },
};

const REMEMBERED = "guest-tags.language";

function remembered(name) {
  try {
    return window.localStorage.getItem(name);
  } catch {
    return null; // storage is switched off
  }
}

// The reader's own choice, else Airflow's language, else the browser's.
function chosenLanguage() {
  const wanted = [remembered(REMEMBERED), remembered("i18nextLng"), ...navigator.languages];
  return wanted.map((name) => name?.slice(0, 2)).find((name) => name in TEXTS) ?? "en";
}

export let language = chosenLanguage();

export function setLanguage(name) {
  language = name;
  try {
    window.localStorage.setItem(REMEMBERED, name);
  } catch {
    // Then the choice lasts as long as the page.
  }
}

// Returns the text of this key; values are for texts that have places for them.
export function t(key, ...values) {
  const text = TEXTS[language][key];
  return typeof text === "function" ? text(...values) : text;
}

// Tells whether there is a text, for codes that come from the data.
export const known = (key) => key in TEXTS[language];

export const number = (value, options) => new Intl.NumberFormat(language, options).format(value);

// "5 orders": the number with its noun; `noun` is a key of PLURALS.
export function counted(value, noun) {
  return `${number(value)} ${PLURALS[language][noun][new Intl.PluralRules(language).select(value)]}`;
}

// "4th": the number as an order's place in a row.
export function ordinal(value) {
  if (language === "ru") return `${number(value)}-й`;
  return number(value) + { one: "st", two: "nd", few: "rd", other: "th" }[new Intl.PluralRules("en", { type: "ordinal" }).select(value)];
}

// The zone that Airflow's own switch shows, else the browser's.
export function zone() {
  try {
    const chosen = JSON.parse(remembered("timezone"));
    new Intl.DateTimeFormat("en", { timeZone: chosen ?? undefined });
    if (chosen) return chosen;
  } catch {
    // nothing is chosen there, or nothing that a browser knows
  }
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}

// Times have 24 hours in both languages, and stand in that zone.
const written = (date, options) => new Intl.DateTimeFormat(language, { hourCycle: "h23", timeZone: zone(), ...options }).format(date);
const HOUR_AND_MINUTE = { hour: "2-digit", minute: "2-digit" };

export const clock = (date) => written(date, { ...HOUR_AND_MINUTE, second: "2-digit" });
export const hour = (date) => Number(new Intl.DateTimeFormat("en", { hour: "numeric", hourCycle: "h23", timeZone: zone() }).format(date));
export const hourName = (date) => written(date, HOUR_AND_MINUTE);
export const dayName = (date) => written(date, { day: "numeric", month: "short" });

// A moment; the year only where it is another one.
export function time(iso) {
  const date = new Date(iso);
  const year = date.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return written(date, { year, month: "short", day: "numeric", ...HOUR_AND_MINUTE });
}

// A moment whose age (in seconds) matters: of today without the day, of the last hour with seconds.
export function moment(iso, age) {
  const date = new Date(iso);
  if (age < 3600) return clock(date);
  return age < 86_400 && dayName(date) === dayName(date.getTime() + age * 1000) ? hourName(date) : time(iso);
}

// A UTC day is that day everywhere.
export const day = (iso) => new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" }).format(new Date(iso));

export function duration(seconds) {
  const [value, unit] = seconds < 120 ? [seconds, "second"] : seconds < 7200 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  return number(Math.round(value), { style: "unit", unit, unitDisplay: "short" });
}
