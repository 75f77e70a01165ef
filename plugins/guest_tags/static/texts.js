// Every word of the page in both languages, and how numbers and times are written in them. Names of tags, categories, dishes
// and statuses are data and stay as they are.

const PLURALS = {
  en: {
    orders: { one: "order", other: "orders" },
    closed: { one: "closed order", other: "closed orders" },
    more: { one: "more closed order", other: "more closed orders" },
    guests: { one: "guest", other: "guests" },
    runs: { one: "run", other: "runs" },
  },
  ru: {
    orders: { one: "заказ", few: "заказа", many: "заказов", other: "заказа" },
    closed: { one: "закрытый заказ", few: "закрытых заказа", many: "закрытых заказов", other: "закрытого заказа" },
    more: { one: "закрытый заказ", few: "закрытых заказа", many: "закрытых заказов", other: "закрытого заказа" },
    guests: { one: "гость", few: "гостя", many: "гостей", other: "гостя" },
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
    footer: (zone) => `Times are in ${zone}, days are UTC days. Read as dwh_bi from the views cdm.v_*; guests are shown by id only.`,

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

    "tags.title": "Tags and near misses",
    "tags.lead": "A guest carries a tag while their closed orders of the category exceed the threshold. Beside them: who lacks one, two or three orders.",
    "tags.empty": "There are no rules yet. A rule is a row: insert into cdm.tag_rules (tag, category_name, threshold).",
    "tags.rule": (category, threshold) => `${category}, more than ${threshold}`,
    "tags.carry": "Carry it",
    "tags.short": (n) => `${n} short`,

    "audience.title": "Audiences over time",
    "audience.lead": "Guests who carried the tag at the end of each day.",
    "audience.empty": "No tag was given in this period. Tags are given by orders_micro_batch every minute and by orders_backfill.",
    "audience.choose": "Tags to show",
    "audience.chart": (tags, from, to) => `Line chart: guests with ${tags}, from ${from} to ${to}. The same numbers are in the table below.`,
    "audience.assigned": "given",
    "audience.revoked": "taken back",

    "thresholds.title": "What if: another threshold",
    "thresholds.lead": "How many guests a rule would tag. Nothing changes by looking.",
    "thresholds.empty": "No guest has a closed order yet, so there is nothing to try out.",
    "thresholds.threshold": "More than this many closed orders",
    "thresholds.answer": (guests) => `${guests} would carry the tag`,
    "thresholds.rules": "Rules in force",
    "thresholds.norules": "No rule of this category is in force.",
    "thresholds.make": "To put it in force, run as the owner or dwh_etl:",
    "thresholds.chart": (category) => `Line chart: guests by threshold in the category ${category}. The same numbers are in the table below.`,
    "thresholds.axis": "threshold",

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
    "guest.unknown": "Nothing is counted for this id: no closed order and no tag. Check the id.",
    "guest.progress": "Progress",
    "guest.progress.caption": (id) => `Tags and counted orders of guest ${id}`,
    "guest.events": "History",
    "guest.events.caption": (id) => `Tags that guest ${id} got and lost`,
    "guest.noevents": "No tag was given or taken back yet.",
    "guest.state": "State",
    "guest.carries": (needs) => `carries it: over ${needs}`,
    "guest.lacks": (n, needs) => `${n}: needs over ${needs}`,
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
    footer: (zone) => `Время — ${zone}, дни — по UTC. Читается ролью dwh_bi из представлений cdm.v_*; гости показаны только по id.`,

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

    "tags.title": "Теги и кому осталось немного",
    "tags.lead": "Гость носит тег, пока его закрытых заказов категории больше порога. Рядом — кому не хватает одного, двух, трёх заказов.",
    "tags.empty": "Правил ещё нет. Правило — это строка: insert into cdm.tag_rules (tag, category_name, threshold).",
    "tags.rule": (category, threshold) => `${category}, больше ${threshold}`,
    "tags.carry": "Носят",
    "tags.short": (n) => `Не хватает ${n}`,

    "audience.title": "Аудитории по дням",
    "audience.lead": "Сколько гостей носило тег в конце каждого дня.",
    "audience.empty": "За этот период тегов не выдавали. Их выдают orders_micro_batch каждую минуту и orders_backfill.",
    "audience.choose": "Какие теги показать",
    "audience.chart": (tags, from, to) => `Линейный график: гости с тегами ${tags}, с ${from} по ${to}. Те же числа — в таблице ниже.`,
    "audience.assigned": "выдано",
    "audience.revoked": "снято",

    "thresholds.title": "Что если: другой порог",
    "thresholds.lead": "Скольких гостей пометило бы правило. Просмотр ничего не меняет.",
    "thresholds.empty": "Ни у кого ещё нет закрытых заказов: примерить не на ком.",
    "thresholds.threshold": "Больше скольких закрытых заказов",
    "thresholds.answer": (guests) => `${guests} — столько носили бы тег`,
    "thresholds.rules": "Действующие правила",
    "thresholds.norules": "Для этой категории правил нет.",
    "thresholds.make": "Чтобы ввести правило, выполните под владельцем или dwh_etl:",
    "thresholds.chart": (category) => `Линейный график: гости в зависимости от порога, категория ${category}. Те же числа — в таблице ниже.`,
    "thresholds.axis": "порог",

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
    "guest.unknown": "Для этого id ничего не посчитано: ни закрытых заказов, ни тегов. Проверьте id.",
    "guest.progress": "Что есть и чего не хватает",
    "guest.progress.caption": (id) => `Теги и посчитанные заказы гостя ${id}`,
    "guest.events": "История",
    "guest.events.caption": (id) => `Теги, выданные гостю ${id} и снятые с него`,
    "guest.noevents": "Теги ещё не выдавали и не снимали.",
    "guest.state": "Состояние",
    "guest.carries": (needs) => `носит: больше ${needs}`,
    "guest.lacks": (n, needs) => `ещё ${n}: нужно больше ${needs}`,
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
