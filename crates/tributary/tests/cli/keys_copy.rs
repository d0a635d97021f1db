//! A key store moves, and everything that was sealed with it stays readable.

use std::path::Path;

use super::{beside_a_server::Dev, *};

fn copy(from: &str, to: &str) -> Output {
    run(&["keys", "copy", "--from", from, "--to", to])
}

fn file(path: &Path) -> String {
    format!("sqlite:{}", path.display())
}

#[test]
fn keys_are_copied_once_and_while_nobody_uses_them() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let keys = data.join("keys/keys.sqlite");
    let moved = dir.path().join("moved/keys.sqlite");
    let dev = Dev::start(&data);
    dev.post(r#"{"id":"1","from":"visitor-ann","text":"Hello"}"#);
    dev.until(&["contacts", "export"], "visitor-ann");

    let output = copy(&file(&keys), &file(&moved));
    expect(&output, 2);
    assert!(stderr(&output).contains("stop it first"), "{}", stderr(&output));
    dev.stop();
    let output = copy(&file(&dir.path().join("nothing")), &file(&moved));
    expect(&output, 2);
    assert!(!moved.exists());

    let output = copy(&file(&keys), &file(&moved));
    expect(&output, 0);
    assert!(stdout(&output).contains("the keys of 1 parties"), "{}", stdout(&output));
    let output = copy(&file(&keys), &file(&moved));
    expect(&output, 1);
    assert!(stderr(&output).contains("holds the keys of 1 parties already"), "{}", stderr(&output));

    fs::rename(&moved, &keys).unwrap();
    let output = run(&["contacts", "export", "--data", data.to_str().unwrap()]);
    expect(&output, 0);
    assert!(stdout(&output).contains("visitor-ann"), "{}", stdout(&output));
}

#[test]
fn where_the_keys_are_is_said_rightly() {
    let dir = folder(&[
        ("password.toml", "[keys]\nstore = \"postgres://keys:hunter2@db/keys\"\n"),
        ("alone.toml", "[keys]\nstore = \"postgres://keys@db/keys\"\n"),
        ("typed.toml", "[keys]\nstor = \"sqlite\"\n"),
    ]);
    let said = |name: &str| {
        let mut serve = command(&["serve", "-c", &path(&dir, name)]);
        let output = serve.current_dir(dir.path()).output().unwrap();
        expect(&output, 2);
        assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
        stderr(&output)
    };
    assert!(said("password.toml").contains("env:NAME"), "{}", said("password.toml"));
    assert!(said("typed.toml").contains("did you mean `store`?"), "{}", said("typed.toml"));
    let alone = said("alone.toml");
    match cfg!(feature = "kafka") {
        true => assert!(alone.contains("vault.master_key"), "{alone}"),
        false => assert!(alone.contains("no PostgreSQL") && alone.contains("--features kafka"), "{alone}"),
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3, "nothing was made");
}

#[cfg(feature = "kafka")]
mod on_postgres {
    use super::*;
    use crate::serving::{Serving, until};

    const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/postgres/server.sh");

    /// The URL of a server that ends with this process; or `POSTGRES_URL`. Where neither can be had the test says so and
    /// does nothing, unless `REQUIRE_POSTGRES=1` makes that a failure.
    fn server(dir: &Path) -> Option<String> {
        if let Ok(url) = std::env::var("POSTGRES_URL") {
            return Some(url);
        }
        let mut up = Command::new(SCRIPT);
        up.arg("up").arg(dir.join("postgres")).env("SERVER_OWNER", std::process::id().to_string());
        let output = up.output().unwrap();
        if output.status.success() {
            return Some(stdout(&output).trim().to_owned());
        }
        let required = std::env::var("REQUIRE_POSTGRES").is_ok_and(|required| required == "1");
        assert!(!required, "REQUIRE_POSTGRES=1, and no PostgreSQL can be had: {}", stderr(&output));
        eprintln!("SKIPPED, for no PostgreSQL can be had (POSTGRES_URL names one): {}", stderr(&output));
        None
    }

    #[test]
    fn an_installation_moves_its_keys_to_postgres_and_back() {
        let dir = tempfile::tempdir().unwrap();
        let Some(url) = server(dir.path()) else { return };
        let data = dir.path().join("data");
        let keys = data.join("keys/keys.sqlite");
        let dev = Dev::start(&data);
        dev.post(r#"{"id":"1","from":"visitor-ann","text":"Hello"}"#);
        dev.until(&["contacts", "export"], "visitor-ann");
        dev.stop();

        fs::write(dir.path().join("keys.url"), &url).unwrap();
        let server = format!("file:{}", dir.path().join("keys.url").display());
        let found = |config: &str| {
            let found = stdout(&run(&["doctor", "-c", config]));
            assert!(!found.contains(":tributary@"), "no password: {found}");
            found
        };
        let nowhere = dir.path().join("nowhere.toml");
        let master = data.join("keys/master.key").display().to_string();
        let server_at = |store: &str| {
            format!("data = {data:?}\nkeys.store = \"{store}\"\nvault.master_key = \"file:{master}\"\n")
        };
        fs::write(&nowhere, server_at("postgres://tributary@127.0.0.1:1/keys")).unwrap();
        let refused = found(nowhere.to_str().unwrap());
        assert!(refused.contains("fail  key store") && refused.contains("see to the server"), "{refused}");
        fs::write(&nowhere, server_at(&server)).unwrap();
        let none = found(nowhere.to_str().unwrap());
        assert!(none.contains("there is none yet at postgres://"), "{none}");

        let output = copy(&file(&keys), &server);
        expect(&output, 0);
        assert!(!stdout(&output).contains(&url), "no password: {}", stdout(&output));
        // Nothing of the old store is left to fall back on.
        for name in ["keys.sqlite", "keys.sqlite-wal", "keys.sqlite-shm"] {
            let _ = fs::remove_file(data.join("keys").join(name));
        }

        let config = dir.path().join("t.toml");
        let serving = Serving::start(&config, &server_at(&server));
        let config = config.to_str().unwrap();

        assert!(
            found(config).contains("it is on PostgreSQL, and opens with the master key"),
            "{}",
            found(config)
        );
        let output = run(&["backup", "-c", config, dir.path().join("backup").to_str().unwrap()]);
        expect(&output, 2);
        assert!(stderr(&output).contains("pg_dump"), "{}", stderr(&output));

        serving.post(r#"{"id":"2","from":"visitor-bob","text":"Hello"}"#);
        let contacts = until(&["contacts", "export", "-c", config], "visitor-bob");
        assert!(contacts.contains("visitor-ann"), "{contacts}");
        drop(serving);
        assert!(!keys.exists(), "no other key store was made");

        let output = run(&["keys", "copy", "--from", &server, "--to", &file(&keys)]);
        expect(&output, 0);
        assert!(stdout(&output).contains("the keys of 2 parties"), "{}", stdout(&output));
        let output = run(&["contacts", "export", "--data", data.to_str().unwrap()]);
        expect(&output, 0);
        for who in ["visitor-ann", "visitor-bob"] {
            assert!(stdout(&output).contains(who), "{}", stdout(&output));
        }
    }
}
