"""What the process's environment says about where and what runs."""

from __future__ import annotations

import os
from typing import Optional

# Where hosters and build systems write the commit that runs. The first that is set wins.
RELEASE_VARIABLES = (
    "PLUMBLINE_RELEASE",
    "VERCEL_GIT_COMMIT_SHA",
    "RENDER_GIT_COMMIT",
    "RAILWAY_GIT_COMMIT_SHA",
    "HEROKU_BUILD_COMMIT",
    "HEROKU_SLUG_COMMIT",
    "SOURCE_COMMIT",
    "CF_PAGES_COMMIT_SHA",
    "COMMIT_REF",
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "GIT_COMMIT",
    "GIT_SHA",
    "COMMIT_SHA",
    "SENTRY_RELEASE",
)

ENVIRONMENT_VARIABLES = (
    "PLUMBLINE_ENVIRONMENT",
    "VERCEL_ENV",
    "RAILWAY_ENVIRONMENT_NAME",
    "SENTRY_ENVIRONMENT",
    "APP_ENV",
    "ENVIRONMENT",
)


def variable(name: str) -> Optional[str]:
    """A variable that is set and not blank."""
    return os.environ.get(name, "").strip() or None


def release() -> Optional[str]:
    return next(filter(None, map(variable, RELEASE_VARIABLES)), None)


def environment() -> Optional[str]:
    return next(filter(None, map(variable, ENVIRONMENT_VARIABLES)), None)
