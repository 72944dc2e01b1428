"""What attackers send where a name is expected: none of it is a name."""

from itertools import product
from typing import Final

_CLASSIC: Final = (
    "' OR '1'='1", "' OR 1=1--", '" OR ""="', "') OR ('1'='1", "1 OR 1=1", "1' OR '1'='1' /*", "admin'--",
    "admin' #", "' OR 'x'='x", "') --", "'; --", "\\'; --", "' AND 1=0 UNION ALL SELECT ''", "1/0",
    "1 AND 1=1", "title' AND '1'='1", "title AND 1=1", "NOT title", "title IS NULL", "title = title",
    "title LIKE '%'",
)  # fmt: skip
_STACKED: Final = (
    "title; DROP TABLE post", "title; DROP TABLE post--", "'; DROP TABLE post; --",
    "title); DROP TABLE post; --", "id; DELETE FROM post", "id; UPDATE post SET title='x'",
    "id; INSERT INTO post VALUES (9)", "1; SELECT 1", "title;", ";", "id; COMMIT",
    "id; ATTACH DATABASE 'x' AS y", "id; PRAGMA writable_schema=1", "id; VACUUM",
    "id; COPY post TO PROGRAM 'id'", "id; DO $$ BEGIN END $$", "id; CREATE ROLE x SUPERUSER",
)  # fmt: skip
_UNION: Final = (
    "title UNION SELECT password_digest FROM author", "id UNION ALL SELECT NULL, NULL",
    "0 UNION SELECT 1, 2, 3", "title FROM author--", "(SELECT password_digest FROM author LIMIT 1)",
    "* FROM author", "*", "post.*", "1,2", "title, (SELECT name FROM author)", "id) FROM author --",
    "EXISTS(SELECT 1)", "count(*)", "max(title)",
)  # fmt: skip
_CONDITIONAL: Final = (
    "CASE WHEN 1=1 THEN id ELSE title END", "(CASE WHEN (SELECT 1)=1 THEN title END)", "IF(1=1, id, title)",
    "title COLLATE NOCASE", "title COLLATE \"C\"", "title ASC NULLS FIRST", "RANDOM()", "random()", "rowid",
    "_rowid_", "oid", "ctid", "xmin", "tableoid", "sleep(5)", "pg_sleep(5)", "(SELECT pg_sleep(5))",
    "SLEEP(5)--", "randomblob(1000000000)", "load_extension('x')", "pg_read_file('/etc/passwd')",
    "lo_import('/etc/passwd')", "readfile('/etc/passwd')", "current_user", "version()", "sqlite_version()",
    "current_setting('x')", "extractvalue(1, 1)", "WAITFOR DELAY '0:0:5'", "BENCHMARK(9, 1)",
)  # fmt: skip
_COMMENTS: Final = (
    "title--", "title --", "title/**/", "/**/title", "ti/**/tle", "title#", "title -- -", "--", "/*", "*/",
    "/*!1*/", "title\n--", "title\r\n", "title\t", " title", "title ", "title\x0b", "title\x0c",
    "title\xa0",
)  # fmt: skip
_QUOTES: Final = (
    "'", '"', "`", "''", '""', "'title'", '"title"', "`title`", "[title]", "title'", 'title"', "title\\",
    "\\", "$$title$$", "E'title'", "U&\"title\"", "x'74'", "%27", "%22title%22", "title%00", "title&quot;",
)  # fmt: skip
_UNICODE: Final = (
    "\uff54itle", "tit\u200ble", "\u202etitle", "title\u0301", "\u02bc OR 1=1", "\uff07 OR 1=1", "\u2019",
    "\ufefftitle", "TITLE", "Title", "t\u0131tle", "\U0001f4a5", "\x00", "title\x00", "\x00title", "\ud800",
    "title\ud800", "\x1b[0m", "\u2028title", "\u00ad",
)  # fmt: skip
_DIRECTIONS: Final = (
    "title DESC", "title desc", "title ASC", "-title DESC", "--title", "+title", "- title", "title-", "-",
    "!title", "~title", "title:desc", "title,views", "title, views", "title DESC, views", "-title,-views",
    "desc", "asc",
)  # fmt: skip
_OPERATORS: Final = (
    "title__exact", "title__gt", "views__lt", "views__in", "title__icontains", "author__name", "views >",
    "views>", "views!=", "title||''", "views+1", "views::text", "CAST(views AS TEXT)", "title->'a'",
    "title->>'a'", "title#>>'{a}'", "$.title", "title$", "{title}", "{{title}}", "${title}", "%(title)s",
    ":title", "?", "$1", "@x", "title[0]", "title.0", "title=", "title%", "%", "_", "LIKE", "NULL",
    "DEFAULT", "true", "0", "-1", "1", "[]",
)  # fmt: skip
_PYTHON: Final = (
    "__class__", "__init__", "__dict__", "__table__", "__mapper__", "__tablename__", "__fields__",
    "__mro__", "metadata", "registry", "model_fields", "model_config", "model_dump", "sync", "query",
    "where", "find", "save", "destroy", "delete", "errors", "permit", "In", "Out", "Patch",
    "_sa_instance_state", "_sa_registry", "__lineside_names__", "__annotations__", "__class__.__mro__",
    "__init__.__globals__", "title.__class__", "title.property", "author.__class__", "author.metadata",
    "sa_relationship", "self", "cls", "and_", "text",
)  # fmt: skip
_PATHS: Final = (
    "author.password_digest", "author.name; DROP TABLE post", "author.posts.title", "author..name",
    ".title", "title.", ".", "..", "author.", ".author", "post.title", "public.post", "sqlite_master",
    "sqlite_master.sql", "information_schema.tables", "pg_catalog.pg_user", "main.post",
    "comments.post.author.password_digest", "password_digest", "secret", "nobody.name", "author/name",
    "author->name", "../title", "author.name.title",
)  # fmt: skip
_BUILT: Final = tuple(
    f"{column}{attack}"
    for column, attack in product(
        ("id", "views", "author_id"),
        (" OR 1=1", "' --", "; SELECT 1", ")", "(", "/**/DESC", "\x00", " UNION SELECT 1", "||1", "=1"),
    )
)

PAYLOADS: Final = tuple(
    dict.fromkeys(
        (
            *_CLASSIC, *_STACKED, *_UNION, *_CONDITIONAL, *_COMMENTS, *_QUOTES, *_UNICODE, *_DIRECTIONS,
            *_OPERATORS, *_PYTHON, *_PATHS, *_BUILT, "", " ", "a" * 5_000, "(" * 500,
        )
    )
)  # fmt: skip
"""All of them, each once."""
