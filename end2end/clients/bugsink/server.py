"""A Bugsink of its own: makes the databases, a project and a token, prints them as one line of JSON, and serves."""

import json
import os
import sys
from socketserver import ThreadingMixIn
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

os.environ["DJANGO_SETTINGS_MODULE"] = "bugsink_conf"


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def log_message(self, *words):
        """Says nothing."""


def main():
    from bugsink.wsgi import application
    from django.core.management import call_command

    for database in ["default", "snappea"]:
        call_command("migrate", database=database, verbosity=0)

    from bsmain.models import AuthToken
    from projects.models import Project

    project = Project.objects.create(name="Tickets")
    token = AuthToken.create_full_access(description="test")
    address = urlsplit(os.environ["BUGSINK_URL"])
    with make_server(address.hostname, address.port, application, Server, Handler) as server:
        print(json.dumps({"dsn": project.dsn, "project": project.id, "token": token.token}), flush=True)
        server.serve_forever()


sys.exit(main())
