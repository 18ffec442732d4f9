//! What `plumbline init` writes.

/// A configuration that says nothing: every key, explained, with its default behind a `#`.
pub const SAMPLE: &str = r#"# Configuration of Plumbline. Flags and environment variables win over this file; `plumbline doctor` prints
# what is in force. A `#` before a key leaves it at the value shown.

# Where to listen. Anything but a loopback address needs accounts (`plumbline members add`) or behind_auth_proxy.
# PLUMBLINE_ADDR, --addr
#addr = "127.0.0.1:3000"

# Where to take OpenTelemetry over gRPC, or "off". A port that is taken is a warning. PLUMBLINE_OTLP_GRPC_ADDR,
# --otlp-grpc-addr
#otlp_grpc_addr = "127.0.0.1:4317"

# The data folder: the private Postgres lives in it. Relative to the folder plumbline is started in.
# PLUMBLINE_DATA, --data
#data = "./.plumbline"

# An existing Postgres, 15 or newer, instead of the private one. DATABASE_URL
#database_url = "postgres://plumbline:password@localhost:5432/plumbline"

# How people reach the server, when that is not `addr`: links in messages begin with it, and cookies are sent over
# https alone when it begins with https. PLUMBLINE_PUBLIC_URL, --public-url
#public_url = "https://plumbline.example.com"

# Set this when a proxy in front of Plumbline authenticates people and `addr` cannot be reached around it.
# PLUMBLINE_BEHIND_AUTH_PROXY, --behind-auth-proxy
#behind_auth_proxy = false

# Proxies in front of Plumbline, single addresses and networks: their X-Forwarded-For or Forwarded says where a request
# came from, which the limits of sign-in go by. Of everybody else such headers are ignored.
# PLUMBLINE_TRUSTED_PROXIES, --trusted-proxies (with commas)
#trusted_proxies = []

# Whether `/metrics` of a server with accounts is read without a key. PLUMBLINE_METRICS_WITHOUT_KEY, --metrics-without-key
#metrics_without_key = false

# How long the audit log is kept. PLUMBLINE_AUDIT_RETENTION_DAYS, --audit-retention-days
#audit_retention_days = 365

# What is logged: error, warn, info, debug or trace, for everything or by part (`warn,server::pipeline=debug`).
# PLUMBLINE_LOG, --log
#log = "info"

# text, or json: one object a line. PLUMBLINE_LOG_FORMAT, --log-format
#log_format = "text"

# Steps and bytes that may wait to be written. More are refused with 503 until there is room again.
# PLUMBLINE_QUEUE_STEPS, --queue-steps and PLUMBLINE_QUEUE_BYTES, --queue-bytes
#queue_steps = 20000
#queue_bytes = 67108864

# Connections to the database, a third of them for ingest alone. PLUMBLINE_DB_CONNECTIONS, --db-connections
#db_connections = 12

# Connections from outside that may be open, as far as the limit of open files allows (`plumbline doctor` shows it), and
# of these from one address. Without these lines as many as it allows, and a quarter of them; this machine's own address
# and, with behind_auth_proxy, every other may have three quarters, because a proxy's connections are many people's.
# PLUMBLINE_MAX_CONNECTIONS, --max-connections, PLUMBLINE_MAX_CONNECTIONS_PER_ADDRESS, --max-connections-per-address
#max_connections = 4096
#max_connections_per_address = 1024

# Where the proxy sends calls of Anthropic's and OpenAI's APIs, or of compatible APIs; without /v1.
# PLUMBLINE_UPSTREAM_ANTHROPIC, --upstream-anthropic and PLUMBLINE_UPSTREAM_OPENAI, --upstream-openai
#upstream_anthropic = "https://api.anthropic.com"
#upstream_openai = "https://api.openai.com"

# Whether streams of OpenAI's chat and text completions are asked for their usage (`stream_options.include_usage`).
# Without this line it depends on the provider. PLUMBLINE_ASK_FOR_USAGE, --ask-for-usage
#ask_for_usage = true

# Seconds that a connection to them may take, and that they may be silent before an answer and in it.
# PLUMBLINE_UPSTREAM_CONNECT_TIMEOUT_S, --upstream-connect-timeout-s, PLUMBLINE_UPSTREAM_TIMEOUT_S, --upstream-timeout-s
#upstream_connect_timeout_s = 10
#upstream_timeout_s = 600

# Bytes of calls that may wait in the data folder while the database is away. PLUMBLINE_SPOOL_BYTES, --spool-bytes
#spool_bytes = 1073741824

# Private addresses that integrations may call, single ones and networks: a GitHub Enterprise Server inside of your
# network, for instance. Everything else that a setting names has to have a public address and https.
# PLUMBLINE_ALLOW_PRIVATE_TARGETS, --allow-private-targets (with commas)
#allow_private_targets = []

# A file with the key that secrets of integrations are encrypted with, 64 hexadecimal digits; PLUMBLINE_SECRET_KEY says
# the key itself. Without either it is `secret.key` in the data folder, made at the first start. Servers that share a
# database need the same key. PLUMBLINE_SECRET_KEY_FILE, --secret-key-file
#secret_key_file = "/run/secrets/plumbline"

# A provider of OpenID Connect that signs people in, exactly as its discovery calls itself; it sends them back to
# public_url + /auth/oidc/callback. PLUMBLINE_OPENID_ISSUER, --openid-issuer
#openid_issuer = "https://login.example.com/realms/acme"

# What this server is called there, and its secret: here, in a file, or in PLUMBLINE_OPENID_CLIENT_SECRET.
# PLUMBLINE_OPENID_CLIENT_ID, --openid-client-id, PLUMBLINE_OPENID_CLIENT_SECRET_FILE, --openid-client-secret-file
#openid_client_id = "plumbline"
#openid_client_secret = "secret"
#openid_client_secret_file = "/run/secrets/openid"

# What the page of the sign-in calls the provider, and what is asked of it.
# PLUMBLINE_OPENID_NAME, --openid-name, PLUMBLINE_OPENID_SCOPES, --openid-scopes
#openid_name = "Acme"
#openid_scopes = "openid email profile"

# The claim of the ID token that lists a person's groups, and what groups give: a project's word or * for all of them,
# and viewer, member or admin; the group * is everybody. PLUMBLINE_OPENID_GROUPS_CLAIM, --openid-groups-claim,
# PLUMBLINE_OPENID_GROUPS, --openid-groups (with commas)
#openid_groups_claim = "groups"
#openid_groups = ["plumbline-admins = *:admin", "shop = checkout:member"]

# The domains that people's addresses may have; and whether an address counts as verified of which the provider says
# nothing, for providers that never say it. PLUMBLINE_OPENID_EMAIL_DOMAINS, --openid-email-domains (with commas),
# PLUMBLINE_OPENID_TRUST_EMAIL, --openid-trust-email
#openid_email_domains = []
#openid_trust_email = false

# Hours after which people pass by the provider again, 0 for as long as its token is good.
# PLUMBLINE_OPENID_SESSION_HOURS, --openid-session-hours
#openid_session_hours = 12

# Whether passwords sign in as well; false needs openid_issuer. PLUMBLINE_LOCAL_ACCOUNTS, --local-accounts
#local_accounts = true

# The folder of `initdb`, `postgres` and `pg_ctl`, when the private Postgres is not to be searched for.
# PLUMBLINE_POSTGRES_BIN, --postgres-bin
#postgres_bin = "/usr/lib/postgresql/17/bin"
"#;
