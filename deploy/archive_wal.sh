#!/usr/bin/env bash
# archive_wal.sh <path> <name>: PostgreSQL's archive_command. Stores a finished segment of its log, packed and encrypted; the server
# keeps the segment and asks again until this ends well. What is there under its final name is whole: asked again, nothing is done.
# Reads BACKUP_AGE_RECIPIENTS and WAL_FOLDER.
set -euo pipefail
umask 027   # the server's own would keep the group out, by which deploy/wal.py reads
PATH=$(dirname "$0"):$PATH
target=${WAL_FOLDER:-/wal}/wal-$2.gz.age
[[ ! -e $target ]] || exit 0
[[ $2 != *.backup ]] || exit 0   # the label of a base backup: nothing asks for it

recipients=()
for key in $BACKUP_AGE_RECIPIENTS; do recipients+=(--recipient "$key"); done
gzip --fast < "$1" | age "${recipients[@]}" > "$target.part"
sync "$target.part"
mv "$target.part" "$target"
sync "$(dirname "$target")"
