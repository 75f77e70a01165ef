"""The page "Guest tags": its HTTP app (`page`), its door to the marts (`reader`), its looks (`static/`). SQL: `sql/page/`."""
