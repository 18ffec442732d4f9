use super::*;

fn load(flags: Flags, database_url: Option<&str>, text: &str) -> Result<Config, String> {
    let file = file::parse(text, Path::new("plumbline.toml")).map_err(|error| error.to_string())?;
    merge(flags, database_url.map(str::to_owned), file).map_err(|error| error.to_string())
}

fn problem(text: &str) -> String {
    load(Flags::default(), None, text).unwrap_err()
}

#[test]
fn flags_and_environment_win_over_the_file_and_the_file_over_defaults() {
    let flags = Flags {
        queue_steps: Some(7),
        ..Flags::default()
    };
    let text = "addr = \"[::1]:4000\"\nqueue_steps = 8\ndatabase_url = \"postgres://u:p@file/d\"";
    let config = load(flags, Some("postgres://u:p@environment/d"), text).unwrap();
    assert_eq!(config.addr.to_string(), "[::1]:4000");
    assert_eq!(config.queue_steps, 7);
    assert_eq!(config.queue_bytes, 64 * 1024 * 1024);
    assert_eq!(
        config.database_url.unwrap().to_string(),
        "database d on environment:5432"
    );
}

#[test]
fn unknown_keys_and_wrong_types_are_named_with_file_and_line() {
    let check = |text: &str, expected: &str| {
        let message = problem(text);
        assert!(
            message.starts_with("plumbline.toml, line ") && message.contains(expected),
            "{message}"
        );
    };
    check(
        "addr = \"127.0.0.1:1\"\nadress = 1",
        "line 2: unknown field `adress`",
    );
    check("[server]\naddr = \"127.0.0.1:1\"", "unknown field `server`");
    check("queue_steps = \"many\"", "line 1: invalid type");
    check("log_format = \"xml\"", "unknown variant `xml`");
    check("addr = \"localhost\"", "line 1:");
    check("=", "line 1:");
}

#[test]
fn unusable_values_say_what_they_have_to_be() {
    let check = |text: &str, expected: &str| {
        let message = problem(text);
        assert!(message.contains(expected), "{message}");
    };
    check("queue_steps = 0", "queue_steps must be at least 1, not 0");
    check("db_connections = 3", "db_connections must be at least 4, not 3");
    check(
        "trusted_proxies = [\"nginx\"]",
        "`nginx` is no address or network",
    );
    check(
        "allow_private_targets = [\"intranet\"]",
        "`intranet` is no address or network",
    );
    check("audit_retention_days = 0", "must be at least 1, not 0");
    check("log = \"loud=very\"", "log `loud=very` is not a log filter");
    check(
        "public_url = \"plumbline.example.com\"",
        "public_url must look like https://",
    );
    check(
        "public_url = \"https://user:secret@host\"",
        "public_url must look like https://",
    );
    check(
        "public_url = \"https://host/path\"",
        "public_url must look like https://",
    );
    check(
        "database_url = \"mysql://u:p@h/d\"",
        "database_url (DATABASE_URL) must look like postgres://",
    );
}

#[test]
fn a_public_url_loses_its_last_slash() {
    let config = load(Flags::default(), None, "public_url = \"https://host:8443/\"").unwrap();
    assert_eq!(config.public_url.as_deref(), Some("https://host:8443"));
}

#[test]
fn the_password_of_the_database_is_never_shown() {
    let url = "postgres://plumbline:canary@db.example.com:6432/traces";
    let config = load(Flags::default(), Some(url), "").unwrap();
    assert!(!format!("{config:?}").contains("canary"));
    let broken = "database_url = \"postgres://plumbline:canary@host:port/d\"";
    assert!(!problem(broken).contains("canary"), "{}", problem(broken));
    let unfinished = "database_url = \"postgres://plumbline:canary@host/d";
    assert!(!problem(unfinished).contains("canary"), "{}", problem(unfinished));
}

#[test]
fn the_configuration_of_the_package_is_accepted() {
    let config = load(
        Flags::default(),
        None,
        include_str!("../../../packaging/plumbline.toml"),
    )
    .unwrap();
    assert_eq!(config.data, std::path::Path::new("/var/lib/plumbline"));
}

#[test]
fn grpc_has_an_address_or_is_off() {
    let check = |text: &str, expected: Option<&str>| {
        let read = text.parse::<GrpcAddr>().map(|addr| addr.to_string());
        assert_eq!(read.as_deref().ok(), expected, "{text}");
    };
    check("0.0.0.0:4317", Some("0.0.0.0:4317"));
    check("off", Some("off"));
    check("4317", None);
    check("", None);
}

#[test]
fn the_sample_names_every_key_with_its_default() {
    assert!(load(Flags::default(), None, SAMPLE).is_ok());
    let uncommented: String = SAMPLE
        .lines()
        .filter_map(|line| {
            line.strip_prefix('#')
                .filter(|rest| !rest.starts_with([' ', '\n']) && !rest.is_empty())
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let config = load(Flags::default(), None, &uncommented).unwrap();
    let default = Config::default();
    assert_eq!(
        (
            config.addr,
            &config.data,
            &config.log,
            config.log_format,
            config.behind_auth_proxy
        ),
        (
            default.addr,
            &default.data,
            &default.log,
            default.log_format,
            default.behind_auth_proxy
        )
    );
    assert_eq!(
        (config.queue_steps, config.queue_bytes, config.db_connections),
        (default.queue_steps, default.queue_bytes, default.db_connections)
    );
    assert_eq!(
        (
            config.upstream_anthropic,
            config.upstream_openai,
            config.upstream_connect_timeout_s,
            config.upstream_timeout_s,
            config.spool_bytes
        ),
        (
            default.upstream_anthropic,
            default.upstream_openai,
            default.upstream_connect_timeout_s,
            default.upstream_timeout_s,
            default.spool_bytes
        )
    );
    assert_eq!(
        (
            config.trusted_proxies,
            config.metrics_without_key,
            config.audit_retention_days
        ),
        (
            default.trusted_proxies,
            default.metrics_without_key,
            default.audit_retention_days
        )
    );
    assert_eq!(config.otlp_grpc_addr, default.otlp_grpc_addr);
    assert_eq!((config.ask_for_usage, default.ask_for_usage), (Some(true), None));
    assert!(config.max_connections.is_some() && config.max_connections_per_address.is_some());
    assert!(config.database_url.is_some() && config.public_url.is_some() && config.postgres_bin.is_some());
    assert_eq!(config.allow_private_targets, default.allow_private_targets);
    assert!(config.secret_key_file.is_some());
    let openid = config.openid.unwrap();
    assert_eq!(
        (
            openid.scopes.join(" ").as_str(),
            openid.groups_claim.as_str(),
            openid.session_hours,
            openid.trust_email,
            config.local_accounts
        ),
        ("email profile", "groups", 12, false, default.local_accounts)
    );
    assert_eq!(uncommented.lines().count(), 37, "one line for each key");
}

#[test]
fn a_provider_needs_an_issuer_a_client_and_a_way_back() {
    const WHOLE: &str = "public_url = \"https://plumbline.example.com\"\nopenid_client_id = \"plumbline\"\n\
                         openid_issuer = \"https://login.example.com/realms/acme\"\n";
    let config = load(
        Flags::default(),
        None,
        &format!("{WHOLE}openid_client_secret = \"canary\"\nlocal_accounts = false"),
    )
    .unwrap();
    assert!(!format!("{config:?}").contains("canary"));
    assert!(!config.local_accounts);
    let openid = config.openid.unwrap();
    assert_eq!(openid.name, "login.example.com");
    assert_eq!(openid.client_secret.unwrap().secret(), "canary");
    let check = |text: &str, expected: &str| {
        let message = problem(text);
        assert!(message.contains(expected), "{message}");
    };
    check(
        "local_accounts = false",
        "only where openid_issuer names a provider",
    );
    check(
        "openid_issuer = \"https://login.example.com\"",
        "needs public_url",
    );
    check(
        &WHOLE.replace("openid_client_id", "openid_name"),
        "openid_client_id is missing",
    );
    check(
        &WHOLE.replace("https://login", "login"),
        "openid_issuer must look like",
    );
    check(
        &format!("{WHOLE}openid_groups = [\"ops\"]"),
        "`ops` must look like `group = project:role`",
    );
}

#[test]
fn the_key_of_secrets_is_64_digits_and_never_shown() {
    let digits = "0123456789abcdef".repeat(4);
    let key: SecretKey = format!(" {digits}\n").parse().unwrap();
    assert_eq!((key.bytes()[0], key.bytes()[31]), (0x01, 0xef));
    assert_eq!(format!("{key:?}"), "SecretKey(…)");
    for wrong in ["canary", &digits[2..], ""] {
        let problem = wrong.parse::<SecretKey>().unwrap_err().to_string();
        assert!(
            problem.contains("64 hexadecimal digits") && !problem.contains("canary"),
            "{problem}"
        );
    }
}
