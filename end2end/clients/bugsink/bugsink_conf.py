"""Settings of Bugsink for a server that lives as long as one test: all its files in a folder, nothing in the background."""

import os

from bugsink.settings.default import *  # noqa: F403

FOLDER = os.environ["BUGSINK_FOLDER"]

SECRET_KEY = "of a test and of nothing else, so that it may be read by all"
DATABASES["default"]["NAME"] = os.path.join(FOLDER, "db.sqlite3")  # noqa: F405
DATABASES["snappea"]["NAME"] = os.path.join(FOLDER, "snappea.sqlite3")  # noqa: F405
# An event is an issue's before its sender has the answer.
SNAPPEA = {"TASK_ALWAYS_EAGER": True}
BUGSINK = {
    "BASE_URL": os.environ["BUGSINK_URL"],
    "INGEST_STORE_BASE_DIR": os.path.join(FOLDER, "ingestion"),
    "PHONEHOME": False,
    # What Sentry's schema does not have is refused.
    "VALIDATE_ON_DIGEST": "strict",
}
ALLOWED_HOSTS = ["127.0.0.1"]
