//! `tributary links make`: files by clear names, and a table of where they lead.

use super::*;

const WORKSPACE: &str = r#"
tenant = "acme"

[inboxes.page]
channel = "messenger"
address = "1234567890"
queue = "support/general"

[queues."support/general"]

[agents."support/anna"]
queues = ["support/general"]
capacity = 3

[links.summer]
inbox = "page"
ref = "summer-26"
campaign = "Summer 2026"

[links.winter]
inbox = "page"
ref = "winter-26"
"#;

#[test]
fn every_link_has_its_codes_and_stands_in_the_table() {
    let dir = folder(&[("workspace.toml", WORKSPACE)]);
    let (workspace, out) = (dir.path().join("workspace.toml"), dir.path().join("codes"));
    let (workspace, out) = (workspace.to_str().unwrap(), out.to_str().unwrap());
    let made = run(&["links", "make", workspace, "--out", out]);
    expect(&made, 0);
    let table = stdout(&made);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[1].starts_with("summer  Summer 2026  page"), "{table}");
    assert!(lines[1].contains("https://m.me/1234567890?ref=summer-26"), "{table}");
    let mut names: Vec<_> =
        fs::read_dir(out).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["summer.png", "summer.svg", "winter.png", "winter.svg"]);
    let image = fs::read(dir.path().join("codes/summer.png")).unwrap();
    assert!(image.starts_with(b"\x89PNG"));
    // The same link gives the same file.
    expect(&run(&["links", "make", workspace, "summer", "--out", out, "--format", "png"]), 0);
    assert_eq!(fs::read(dir.path().join("codes/summer.png")).unwrap(), image);
}

#[test]
fn what_cannot_be_made_is_said() {
    let dir = folder(&[
        ("workspace.toml", WORKSPACE),
        ("wrong.toml", &WORKSPACE.replace("winter-26", "winter 26")),
        ("none.toml", WORKSPACE.split("[links").next().unwrap()),
    ]);
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let out = path("codes");
    let unknown = run(&["links", "make", &path("workspace.toml"), "spring", "--out", &out]);
    expect(&unknown, 2);
    assert!(stderr(&unknown).contains("summer, winter"), "{}", stderr(&unknown));
    let wrong = run(&["links", "make", &path("wrong.toml"), "--out", &out]);
    expect(&wrong, 2);
    assert!(stderr(&wrong).contains("links.winter.ref"), "{}", stderr(&wrong));
    expect(&run(&["links", "make", &path("none.toml"), "--out", &out]), 2);
    assert!(!dir.path().join("codes").exists(), "nothing is made of what is wrong");
}
