//! The server is killed, hangs, forgets what it promised, or is another one. What was sealed opens, what could not be
//! sealed was refused in time, and all goes on by itself.

use std::{
    fs,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{sleep, timeout},
};
use vault::{Config, Error, KeyStore, Postgres, Vault};

use crate::{
    ITEM, Place, SECRET, patiently,
    place::files,
    plain,
    postgres::{Server, connect, shared},
    subject,
};

/// Far above every wait there is: what takes longer waits for ever.
const BOUND: Duration = Duration::from_secs(60);

fn opened_at(place: &Place, url: &str) -> Result<Vault, Error> {
    let keys = KeyStore::Postgres(Box::new(Postgres::parse(url)?));
    Vault::open(Config { keys, ..place.config() })
}

/// An error with all that caused it.
fn explained(error: &Error) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        told = format!("{told}: {next}");
        cause = next.source();
    }
    told
}

fn refusal(opened: Result<Vault, Error>) -> String {
    match opened {
        Ok(_) => panic!("it opened"),
        Err(error) => explained(&error),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_under_load_loses_no_key() {
    let Some(server) = Server::up(&[]) else { return };
    let place = Arc::new(Place::on(&server.url).await);
    let vaults = [place.open(), place.open()];
    let (stop, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    // Two processes, whose customers are partly the same.
    let writers = (0..8).map(|writer| {
        let (vault, stop, refused) = (vaults[writer % 2].clone(), stop.clone(), refused.clone());
        tokio::spawn(async move {
            let (mut sealed, mut next) = (Vec::new(), 0);
            while !stop.load(Relaxed) {
                let subject = subject(&vault, &format!("{}-{next}", writer / 2));
                match timeout(BOUND, vault.seal(&subject, &ITEM, SECRET)).await.expect("an answer in time") {
                    Ok(bytes) => {
                        sealed.push((subject, bytes));
                        next += 1;
                    }
                    Err(error) => {
                        assert!(error.is_unavailable(), "{error:?}");
                        refused.fetch_add(1, Relaxed);
                        sleep(Duration::from_millis(5)).await;
                    }
                }
            }
            sealed
        })
    });
    let writers: Vec<_> = writers.collect();
    for _ in 0..3 {
        sleep(Duration::from_millis(300)).await;
        server.signal("KILL");
        sleep(Duration::from_millis(200)).await;
        server.again();
        // It goes on by itself.
        let new = subject(&vaults[0], "after");
        timeout(BOUND, patiently(|| vaults[0].seal(&new, &ITEM, SECRET))).await.expect("it goes on");
        vaults[0].erase(&new).await.unwrap();
    }
    stop.store(true, Relaxed);
    let (mut seals, mut parties) = (0, std::collections::BTreeSet::new());
    let another = place.open();
    for writer in writers {
        for (subject, sealed) in writer.await.unwrap() {
            assert_eq!(another.open_sealed(&subject, &ITEM, &sealed).await.unwrap(), plain(SECRET));
            assert_eq!(Vault::generation(&sealed).unwrap(), 1);
            seals += 1;
            parties.insert(subject);
        }
    }
    eprintln!("{seals} seals for {} parties, {} refused", parties.len(), refused.load(Relaxed));
    assert!(seals > parties.len(), "the processes had parties in common");
    assert!(refused.load(Relaxed) > 0, "the server was away for nobody");
    // What was stored but could not be told is there as well; one row a party, and the one that was erased.
    let rows = place.parties().await;
    assert!(rows > parties.len() as u64, "{rows} rows");
}

/// The way to a server, which can be cut so that nobody is told: what the server says still comes.
struct Wire {
    port: u16,
    is_cut: watch::Sender<bool>,
}

impl Wire {
    async fn lay(to: u16) -> Wire {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (is_cut, state) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = state.clone();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await else { return };
                    let ((client_in, client_out), (server_in, server_out)) =
                        (client.into_split(), server.into_split());
                    tokio::select! {
                        () = carry(client_in, server_out, Some(state)) => {}
                        () = carry(server_in, client_out, None) => {}
                    }
                });
            }
        });
        Wire { port, is_cut }
    }
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut is_cut: Option<watch::Receiver<bool>>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if let Some(is_cut) = &mut is_cut {
            let _ = is_cut.wait_for(|is_cut| !is_cut).await;
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_hangs_holds_up_nobody_for_ever() {
    let Some(server) = Server::up(&[]) else { return };
    let wire = Wire::lay(server.port()).await;
    let place =
        Place::on(&server.url.replace(&format!(":{}", server.port()), &format!(":{}", wire.port))).await;
    let vault = place.open();
    let (known, new) = (subject(&vault, "known"), subject(&vault, "new"));
    vault.seal(&known, &ITEM, SECRET).await.unwrap();

    wire.is_cut.send_replace(true);
    let waiting: Vec<_> = (0..50)
        .map(|n| {
            let (vault, subject) = (vault.clone(), subject(&vault, &format!("new {n}")));
            tokio::spawn(async move { vault.seal(&subject, &ITEM, SECRET).await })
        })
        .collect();
    let sealed = vault.seal(&known, &ITEM, SECRET).await.unwrap();
    assert_eq!(vault.open_sealed(&known, &ITEM, &sealed).await.unwrap(), plain(SECRET));
    for task in waiting {
        let refused = timeout(BOUND, task).await.expect("an answer in time").unwrap().unwrap_err();
        assert!(refused.is_unavailable(), "{refused:?}");
    }
    let config = place.config();
    let opening = tokio::task::spawn_blocking(move || Vault::open(config).map(drop));
    let opened = timeout(BOUND, opening).await.expect("an answer in time").unwrap();
    assert!(matches!(opened, Err(Error::Open { .. })), "{opened:?}");

    wire.is_cut.send_replace(false);
    let sealed = timeout(BOUND, patiently(|| vault.seal(&new, &ITEM, SECRET))).await.expect("it goes on");
    assert_eq!(Vault::generation(&sealed).unwrap(), 1);
    assert_eq!(place.open().open_sealed(&new, &ITEM, &sealed).await.unwrap(), plain(SECRET));
}

/// An erasure is given up on its way, and asked for again elsewhere; the person writes again; and then what was given
/// up reaches the server after all.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_erasure_that_comes_late_does_not_destroy_the_next_key() {
    let Some(server) = Server::up(&[]) else { return };
    let place = Place::on(&server.url).await;
    let database = place.on_server();
    let wire = Wire::lay(server.port()).await;
    let through_wire = database.url.replace(&format!(":{}", server.port()), &format!(":{}", wire.port));
    let (here, there) = (place.open(), opened_at(&place, &through_wire).unwrap());
    let ann = subject(&here, "ann");
    there.seal(&ann, &ITEM, SECRET).await.unwrap();

    // The look for what there is to erase waits at the server; behind it the way is cut.
    let (client, watcher) = (database.client().await, database.client().await);
    client.batch_execute("BEGIN; LOCK TABLE tributary_keys IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let late = tokio::spawn({
        let (there, ann) = (there.clone(), ann.clone());
        async move { there.erase(&ann).await }
    });
    let until = async |so: &str| {
        let query =
            format!("SELECT FROM pg_stat_activity WHERE application_name = '{}' AND {so}", database.schema);
        let there = async {
            while watcher.query(&query, &[]).await.unwrap().is_empty() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(BOUND, there).await.expect(so);
    };
    until("wait_event_type = 'Lock'").await;
    wire.is_cut.send_replace(true);
    client.batch_execute("ROLLBACK").await.unwrap();
    let given_up = timeout(BOUND, late).await.expect("an answer in time").unwrap();
    assert!(given_up.is_err_and(|error| error.is_unavailable()));

    assert_eq!(here.erase(&ann).await.unwrap(), 1);
    let again = here.seal(&ann, &ITEM, SECRET).await.unwrap();
    assert_eq!(Vault::generation(&again).unwrap(), 2);
    wire.is_cut.send_replace(false);
    until("query LIKE '%doomed%' AND state = 'idle'").await;
    assert_eq!(place.open().open_sealed(&ann, &ITEM, &again).await.unwrap(), plain(SECRET));
}

/// As a server does that is restarted, or a firewall that forgot.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ended_while_idle_costs_nobody_an_error() {
    let Some(place) = Place::on_postgres().await else { return };
    let vault = place.open();
    for n in 0..3 {
        vault.seal(&subject(&vault, &n.to_string()), &ITEM, SECRET).await.unwrap();
        place.on_server().end_sessions().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_may_forget_what_it_acknowledged_is_refused() {
    let Some(server) = Server::up(&[("SERVER_SETTINGS", "fsync = off")]) else { return };
    let place = Place::on(&server.url).await;
    let told = refusal(Vault::open(place.config()));
    assert!(told.contains("fsync = off") && told.contains("postgresql.conf"), "{told}");

    let superuser = connect(&server.url).await;
    superuser.batch_execute("ALTER SYSTEM SET fsync = on").await.unwrap();
    superuser.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    superuser.batch_execute("ALTER ROLE tributary SET synchronous_commit = off").await.unwrap();
    let told = timeout(BOUND, async {
        loop {
            let told = refusal(Vault::open(place.config()));
            // The server takes a moment to read its settings again.
            if !told.contains("fsync = off") {
                return told;
            }
            sleep(Duration::from_millis(20)).await;
        }
    });
    let told = told.await.unwrap();
    assert!(told.contains("ALTER ROLE tributary SET synchronous_commit = on"), "{told}");
    assert!(!told.contains("tributary:tributary"), "no password: {told}");

    superuser.batch_execute("ALTER ROLE tributary RESET synchronous_commit").await.unwrap();
    place.open();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_spoken_with_who_is_vouched_for_and_nobody_else() {
    let Some(server) = Server::up(&[("SERVER_TLS", "1")]) else { return };
    let place = Place::new();
    let vault = opened_at(&place, &server.url).unwrap();
    let sealed = vault.seal(&subject(&vault, "ann"), &ITEM, SECRET).await.unwrap();
    assert_eq!(vault.open_sealed(&subject(&vault, "ann"), &ITEM, &sealed).await.unwrap(), plain(SECRET));

    let (base, _) = server.url.split_once('?').unwrap();
    let another = Place::new();
    let certificate = format!("sslrootcert={}/server.crt", server.dir.path().display());
    for (url, named) in [
        (format!("{base}?sslmode=require"), "certificate"),
        (format!("{}?sslmode=require&{certificate}", base.replace("localhost", "127.0.0.1")), "certificate"),
        (format!("{base}?sslmode=disable"), "no encryption"),
    ] {
        let told = refusal(opened_at(&another, &url));
        assert!(told.contains(named), "{url}: {told}");
    }
    let told = refusal(opened_at(&another, &server.url.replace(":tributary@", ":hunter2@")));
    assert!(told.contains("password") && !told.contains("hunter2"), "{told}");

    let plain = shared().expect("a server, as there was one above");
    let told = refusal(opened_at(&another, &plain.replace("sslmode=disable", "sslmode=require")));
    assert!(told.contains("TLS"), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_store_at_the_same_address_is_not_written_to() {
    let Some(place) = Place::on_postgres().await else { return };
    let other = place.another().await;
    drop(other.open());
    let vault = place.open();
    vault.seal(&subject(&vault, "ann"), &ITEM, SECRET).await.unwrap();
    let (here, there) = (place.on_server(), other.on_server());
    let client = here.client().await;
    let wanted: Vec<u8> = client.query_one("SELECT root FROM tributary_key_store", &[]).await.unwrap().get(0);
    let root: Vec<u8> =
        there.client().await.query_one("SELECT root FROM tributary_key_store", &[]).await.unwrap().get(0);
    client.execute("UPDATE tributary_key_store SET root = $1", &[&root]).await.unwrap();
    here.end_sessions().await;
    let bob = subject(&vault, "bob");
    let refused = vault.seal(&bob, &ITEM, SECRET).await.unwrap_err();
    assert!(
        refused.is_unavailable() && explained(&refused).contains("another one"),
        "{}",
        explained(&refused)
    );
    assert_eq!(place.parties().await, 1);

    client.execute("UPDATE tributary_key_store SET root = $1", &[&wanted]).await.unwrap();
    timeout(BOUND, patiently(|| vault.seal(&bob, &ITEM, SECRET))).await.unwrap();
}

/// What `docs/operating-kafka.md` says of destroyed keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_destroyed_key_is_gone_from_the_tables_once_they_are_written_anew() {
    let Some(server) = Server::up(&[("SERVER_SETTINGS", "autovacuum_naptime = 1")]) else { return };
    let place = Place::on(&server.url).await;
    let vault = place.open();
    let (ann, bob) = (subject(&vault, "ann"), subject(&vault, "bob"));
    for subject in [&ann, &bob] {
        vault.seal(subject, &ITEM, SECRET).await.unwrap();
    }
    let (anns, bobs) = (place.wrapped_key(&ann).await, place.wrapped_key(&bob).await);
    let client = place.on_server().client().await;
    let stands = |key: &[u8]| {
        let key = key.to_owned();
        let tables = files(&server.dir.path().join("data/base"));
        tables
            .iter()
            .any(|file| fs::read(file).is_ok_and(|held| held.windows(key.len()).any(|part| part == key)))
    };
    client.batch_execute("CHECKPOINT").await.unwrap();
    assert!(stands(&anns) && stands(&bobs), "before, they stand there");

    vault.erase(&ann).await.unwrap();
    // By itself the row's old version is cleared away soon.
    let dead = "SELECT n_dead_tup FROM pg_stat_all_tables WHERE relname = 'tributary_keys'
                AND schemaname = current_schema()";
    let cleared = async {
        while place.on_server().number(dead).await > 0
            || place.on_server().number(&dead.replace("n_dead_tup", "autovacuum_count")).await == 0
        {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(BOUND, cleared).await.expect("an automatic vacuum");
    // Its bytes may stand in the page's free room until that is used, or the table is written anew.
    client.batch_execute("VACUUM FULL tributary_keys").await.unwrap();
    client.batch_execute("CHECKPOINT").await.unwrap();
    assert!(!stands(&anns), "it is gone");
    assert!(stands(&bobs), "the other is not");
}
