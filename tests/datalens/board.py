"""A small board with one of each, and a way to change it: a mistake or a change stands alone there."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import yaml

Files = dict[str, Any]
GONE = object()
_SMALL = yaml.safe_load("""
connection: {title: Хранилище, description: Только чтение., cache_ttl_s: 60, raw_sql_level: "off", data_export: "on"}
datasets:
  tags:
    title: Теги
    view: v_tags
    description: Кто с тегом.
    fields: {tag: [string, Тег], day: [date, День], guests: [integer, Гостей, sum]}
    formulas: {twice: {title: Дважды, type: integer, measure: true, formula: "2 * SUM([Гостей])"}}
  orders: {title: Заказы, view: v_orders, description: Сколько заказов., fields: {tag: [string, Тег], cost: [float, Сумма, sum]}}
charts:
  total: {title: Всего, kind: number, dataset: tags, field: guests}
  days: {title: По дням, kind: line, dataset: tags, x: day, y: [guests], color: tag}
  bars: {title: По тегам, kind: bar, dataset: orders, x: [cost], y: tag}
  pivot: {title: Сводная, kind: pivot, dataset: tags, rows: [tag], columns: [day], measures: [guests, twice]}
  list: {title: Список, kind: table, dataset: tags, columns: [tag, guests], sort: {guests: desc}, filters: {tag: {EQ: [pizza]}}}
dashboard:
  title: Доска
  description: Для проверки.
  autoupdate_s: 60
  requests_at_once: 6
  tabs:
    - id: one
      title: Первая
      text: Текст.
      selectors:
        - {title: Тег, kind: lists, field: tags.tag, also: [orders.tag]}
        - {title: Период, kind: interval, field: tags.day, default: [-30d, +0d]}
      rows: [{height: 6, charts: [total]}, {height: 14, charts: [days, list]}]
    - {id: two, title: Вторая, text: Текст., rows: [{height: 6, charts: [bars, pivot]}]}
""")


def small() -> Files:
    """Return the small board as the files of a board hold it."""
    return deepcopy(_SMALL)


def put(files: Files, path: str, value: Any) -> Files:
    """Set what stands at `path` (file.key.0.key), or take it away (GONE)."""
    *way, last = _keys(path)
    place: Any = files
    for key in way:
        place = place[key]
    if value is GONE:
        del place[last]
    elif isinstance(place, list) and last == len(place):
        place.append(value)
    else:
        place[last] = value
    return files


def _keys(path: str) -> Iterator[Any]:
    return (int(key) if key.isdecimal() else key for key in path.split("."))
