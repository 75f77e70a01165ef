-- Who is erased is looked for in what files told of them: by a key of their own, and not through the rows of all exports.

create index audience_export_rows_user_id on cdm.audience_export_rows (user_id) where user_id is not null;
