//! Which of our crates may know which: the table that keeps the flow one-directional, held against what `cargo` says.
//!
//! Channels, bots, projections and the API never import one another (they meet in the log), and the domain knows
//! nothing that could wait, listen or ask for the time.

use std::collections::BTreeMap;

use cargo_metadata::{DependencyKind, MetadataCommand};

/// Every crate, and what of ours it may be built with.
const MAY_KNOW: [(&str, &[&str]); 13] = [
    ("domain", &[]),
    ("wire", &["domain"]),
    ("log", &[]),
    ("log-kafka", &["log"]),
    ("objects", &[]),
    ("vault", &["objects"]),
    ("runtime", &["domain", "wire", "log", "objects"]),
    ("sms", &[]),
    ("channels", &["domain", "wire", "log", "vault", "runtime", "sms"]),
    ("bots", &["domain", "wire", "log", "vault", "runtime"]),
    ("projections", &["domain", "wire", "log", "vault"]),
    ("api", &["domain", "wire", "log", "vault", "projections", "sms"]),
    (
        "tributary",
        &[
            "domain",
            "wire",
            "log",
            "log-kafka",
            "objects",
            "vault",
            "runtime",
            "sms",
            "channels",
            "bots",
            "projections",
            "api",
        ],
    ),
];

/// What of others' the domain may be built with: data, derives, and the calendars of time zones. Anything asynchronous, and
/// any I/O, stays out.
const DOMAIN_MAY_USE: [&str; 5] = ["bytes", "jiff", "postcard", "serde", "thiserror"];

/// Each crate and what it is built with: ours by folder name, others' by their own.
type Crates = BTreeMap<String, Vec<Dependency>>;

#[derive(Clone)]
enum Dependency {
    Ours(String),
    Theirs(String),
}

#[test]
fn crates_know_only_what_they_may() {
    let wrong = violations(&workspace());
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn a_wrong_edge_is_named() {
    let mut crates = workspace();
    let mut add = |name: &str, dependency| crates.entry(name.to_owned()).or_default().push(dependency);
    add("api", Dependency::Ours("channels".into()));
    add("domain", Dependency::Theirs("tokio".into()));
    add("attic", Dependency::Ours("log".into()));
    crates.remove("bots");
    let wrong = violations(&crates);
    for named in ["api -> channels", "domain -> tokio", "attic has no row", "bots is no crate"] {
        assert!(wrong.iter().any(|wrong| wrong.contains(named)), "{named} is not in {wrong:?}");
    }
    assert_eq!(wrong.len(), 4, "{wrong:?}");
}

/// The workspace as its manifests declare it, tests and benches aside; nothing is resolved or downloaded for it.
fn workspace() -> Crates {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let metadata =
        MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo reads the workspace");
    let packages = metadata.packages.into_iter().map(|package| {
        let built_with = package.dependencies.into_iter().filter(|it| it.kind != DependencyKind::Development);
        let dependencies = built_with.map(|it| match it.path {
            Some(_) => Dependency::Ours(folder(&it.name)),
            None => Dependency::Theirs(it.name),
        });
        (folder(&package.name), dependencies.collect())
    });
    packages.collect()
}

fn folder(package: &str) -> String {
    package.strip_prefix("tributary-").unwrap_or(package).to_owned()
}

fn violations(crates: &Crates) -> Vec<String> {
    let rows = BTreeMap::from(MAY_KNOW);
    let gone =
        rows.keys().filter(|row| !crates.contains_key(**row)).map(|row| format!("{row} is no crate of ours"));
    let mut wrong: Vec<String> = gone.collect();
    for (name, dependencies) in crates {
        let Some(may_know) = rows.get(name.as_str()) else {
            wrong.push(format!("{name} has no row in the table"));
            continue;
        };
        for dependency in dependencies {
            match dependency {
                Dependency::Ours(other) if !may_know.contains(&other.as_str()) => {
                    wrong.push(format!("{name} -> {other}: {name} may know only {may_know:?}"));
                }
                Dependency::Theirs(other)
                    if name == "domain" && !DOMAIN_MAY_USE.contains(&other.as_str()) =>
                {
                    wrong.push(format!("{name} -> {other}: the domain may use only {DOMAIN_MAY_USE:?}"));
                }
                Dependency::Ours(_) | Dependency::Theirs(_) => {}
            }
        }
    }
    wrong
}
