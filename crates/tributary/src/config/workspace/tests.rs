use super::*;

fn read(text: &str) -> Result<Policy, strict::Error> {
    read_workspace(Path::new("workspace.toml"), text)
}

const GOOD: &str = r#"
tenant = "acme"

[inboxes.mail]
channel = "email"
address = "help@acme.example"
bot = "greeter"
queue = "support/general"

[queues."support/general"]
offer_timeout = "20s"

[agents."support/anna"]
queues = ["support/general"]
capacity = 3

[bots.greeter]
kind = "built_in"
greeting = "Hello"
hours = "office"

[hours.office]
time_zone = "Europe/Berlin"
open = ["mon-fri 09:00-17:00", "sat 10:00-14:00"]
"#;

#[test]
fn a_whole_workspace_is_read() {
    let policy = read(GOOD).unwrap();
    assert_eq!(policy.inboxes.len(), 1);
    assert_eq!(policy.hours.values().next().unwrap().open.len(), 6);
    assert_eq!(policy.queues.values().next().unwrap().offer_timeout, Millis::seconds(20));
}

#[test]
fn a_fault_names_its_line() {
    let text = GOOD.replace("queue = \"support/general\"\n\n[queues", "queue = \"support/none\"\n\n[queues");
    let error = read(&text).unwrap_err();
    assert_eq!(error.line, Some(8), "{error}");
    let error = read(&GOOD.replace("Europe/Berlin", "Mars/Olympus")).unwrap_err();
    assert!(error.to_string().contains("Mars/Olympus"), "{error}");
    assert!(error.line.is_some());
}

#[test]
fn a_secret_is_never_written_down() {
    let settings = |password: &str| {
        let inbox = format!("[inboxes.mail.settings]\nrelay_password = \"{password}\"\n\n[queues");
        read(&GOOD.replacen("[queues", &inbox, 1))
    };
    settings("secret:relay").unwrap();
    for written in ["hunter2", "env:PATH", "secret:"] {
        let error = settings(written).unwrap_err();
        assert!(error.line.is_some() && error.to_string().contains("secret:NAME"), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[test]
fn an_unknown_setting_names_the_nearest() {
    let text = GOOD.replace("[queues", "[inboxes.mail.settings]\nautentication = \"trusted\"\n\n[queues");
    let error = read(&text).unwrap_err();
    assert!(error.to_string().contains("did you mean `authentication`?"), "{error}");
}

/// A team of two with all that routing knows.
const ROUTED: &str = r#"
tenant = "acme"

[inboxes.chat]
channel = "messenger"
address = "1"
queue = "support/billing"

[queues."support/billing"]
priority = 5
ageing = { every = "1m", most = 10 }
needs = { skills = { billing = 3 }, languages = ["de"] }
relaxations = [
  { after = "30s", needs = { skills = { billing = 1 }, languages = ["de"] } },
  { after = "60s" },
]
selection = "most_skilled"
overflow = { to = "support/general", after = "5m", refusals = 3 }
sticky = { within = "24h", grace = "20s" }
wrap_up = "30s"
answer_within = "20s"
vip = [{ tag = "gold", priority = 50 }, { tag = "vip", priority = 5 }]

[queues."support/general"]
auto_accept = true
default = true

[agents."support/anna"]
queues = ["support/billing", "support/general"]
capacity = 4
supervises = ["support"]
weights = { messenger = 2 }
skills = { billing = 5 }
languages = ["de", "en"]
"#;

#[test]
fn routing_is_read_whole() {
    let policy = read(ROUTED).unwrap();
    let billing = &policy.queues[&"acme/support/billing".parse().unwrap()];
    assert_eq!(billing.ageing, Some(policy::Ageing { every: Millis::seconds(60), most: 10 }));
    assert_eq!(billing.needs.skills, [("billing".parse().unwrap(), 3)].into());
    assert_eq!(billing.relaxations.len(), 2);
    assert_eq!(billing.relaxations[1].needs, policy::Needs::default());
    assert_eq!(billing.selection, policy::Selection::MostSkilled);
    let overflow = billing.overflow.as_ref().unwrap();
    assert_eq!((overflow.after, overflow.refusals), (Some(Millis::seconds(300)), Some(3)));
    assert_eq!(billing.sticky.unwrap().grace, Millis::seconds(20));
    assert_eq!(
        (billing.wrap_up, billing.answer_within),
        (Some(Millis::seconds(30)), Some(Millis::seconds(20)))
    );
    let vip = |tag: &str, priority| policy::Vip { tag: tag.into(), priority };
    assert_eq!(billing.vip, [vip("gold", 50), vip("vip", 5)]);
    let anna = &policy.agents[&"acme/support/anna".parse().unwrap()];
    assert_eq!((anna.capacity.weight(Channel::Messenger), anna.capacity.weight(Channel::Sms)), (2, 1));
    assert!(billing.needs.met_by(anna));
    assert_eq!(anna.supervises, ["acme/support".parse().unwrap()].into());
    let default = policy.default_queue(&"acme/support".parse().unwrap());
    assert_eq!(default.map(ToString::to_string).as_deref(), Some("acme/support/general"));
}

/// Each is found before anything changes, and names its line.
#[test]
fn routing_that_cannot_work_names_its_line() {
    let fault = |from: &str, to: &str| {
        assert!(ROUTED.contains(from), "{from}");
        let error = read(&ROUTED.replacen(from, to, 1)).unwrap_err();
        (error.line.unwrap_or_default(), error.message)
    };
    for (from, to, line, says) in [
        ("skills = { billing = 3 }, lang", "skills = { biling = 3 }, lang", 12, "unknown skill"),
        ("skills = { billing = 3 }, lang", "skills = { billing = 9 }, lang", 12, "the best: 5"),
        ("languages = [\"de\"] }\nrel", "languages = [\"fr\"] }\nrel", 12, "speaks fr"),
        ("{ after = \"60s\" }", "{ after = \"20s\" }", 13, "later than the one before"),
        ("skills = { billing = 1 }", "skills = { billing = 4 }", 13, "waiting must not narrow"),
        ("tag = \"vip\", priority = 5", "tag = \"gold\", priority = 5", 22, "named twice"),
        ("priority = 50", "priority = 0", 22, "at least 1"),
        ("to = \"support/general\"", "to = \"support/nowhere\"", 18, "there is no queue"),
        ("to = \"support/general\"", "to = \"support/billing\"", 18, "round for ever"),
        (
            "auto_accept = true",
            "overflow = { to = \"support/billing\", after = \"1m\" }",
            18,
            "round for ever",
        ),
        ("\"support/general\"]\ncapacity", "]\ncapacity", 24, "no agent serves this queue"),
        ("messenger = 2", "messenger = 5", 32, "never fit"),
        ("capacity = 4", "capacity = 0", 30, "must be at least 1"),
        ("supervises = [\"support\"]", "supervises = [\"night\"]", 31, "there is no desk"),
        ("priority = 5", "default = true", 26, "is the default of desk"),
        ("selection = \"most_skilled\"", "selection = \"most_skiled\"", 17, "most_skilled"),
        ("wrap_up = \"30s\"", "wrap_up = \"30d\"", 20, "between 1 second and 1 hour"),
    ] {
        let (at, message) = fault(from, to);
        assert!(message.contains(says), "{to}: {message}");
        assert_eq!(at, line, "{to}: {message}");
    }
}

/// The queue that closes, and the days on which it does.
const CLOSING: &str = r#"
tenant = "acme"

[queues."support/general"]
hours = "office"
when_closed = { say = "We are back {date} at {time}." }

[queues."support/late"]
hours = "office"
when_closed = { overflow = "support/general" }

[agents."support/anna"]
queues = ["support/general", "support/late"]
capacity = 4

[hours.office]
time_zone = "Europe/Berlin"
open = ["mon-fri 09:00-17:00"]
holidays = ["12-25", "12-24 12:00-24:00", "2026-12-27..2026-12-31", "12-24..01-01", "2026-04-03[Europe/Berlin]"]
"#;

#[test]
fn hours_and_holidays_are_read_whole() {
    let policy = read(CLOSING).unwrap();
    let general = &policy.queues[&"acme/support/general".parse().unwrap()];
    assert_eq!(general.hours, Some("office".parse().unwrap()));
    assert_eq!(general.when_closed, Some(policy::WhenClosed::Say("We are back {date} at {time}.".into())));
    let late = &policy.queues[&"acme/support/late".parse().unwrap()];
    assert_eq!(late.when_closed, Some(policy::WhenClosed::Overflow("acme/support/general".parse().unwrap())));
    let day = |year, month, day| policy::Day { year, month, day };
    let holiday = |first, last, from, to| policy::Holiday { first, last, from, to };
    assert_eq!(
        policy.hours[&"office".parse().unwrap()].holidays,
        [
            holiday(day(None, 12, 25), day(None, 12, 25), 0, 1440),
            holiday(day(None, 12, 24), day(None, 12, 24), 720, 1440),
            holiday(day(Some(2026), 12, 27), day(Some(2026), 12, 31), 0, 1440),
            holiday(day(None, 12, 24), day(None, 1, 1), 0, 1440),
            holiday(day(Some(2026), 4, 3), day(Some(2026), 4, 3), 0, 1440),
        ]
    );
}

#[test]
fn hours_that_cannot_be_told_name_their_line() {
    for (from, to, line, says) in [
        ("[Europe/Berlin]", "[Europe/Paris]", 19, "is in zone \"Europe/Paris\", but the hours are in"),
        ("\"12-25\"", "\"2026-12-25T00:00Z\"", 19, "is a moment"),
        ("\"12-25\"", "\"02-30\"", 19, "there is no day 02-30"),
        ("\"12-25\"", "\"2026-02-29\"", 19, "there is no day 2026-02-29"),
        ("\"12-25\"", "\"Christmas\"", 19, "is not a day like"),
        ("12:00-24:00", "24:00-12:00", 19, "must begin before it ends"),
        ("2026-12-27..2026-12-31", "2026-12-31..2026-12-27", 19, "ends before it begins"),
        ("mon-fri 09:00-17:00", "mon-fri nine to five", 18, "is not a span like"),
        (
            "hours = \"office\"\nwhen_closed = { say",
            "hours = \"offize\"\nwhen_closed = { say",
            5,
            "there are no hours",
        ),
        ("hours = \"office\"\nwhen_closed = { say", "when_closed = { say", 5, "never closes"),
        (
            "{ say = \"We are back {date} at {time}.\" }",
            "{ say = \"We are back {then}.\" }",
            6,
            "{then} stands for",
        ),
        (
            "{ say = \"We are back {date} at {time}.\" }",
            "{ overflow = \"support/late\" }",
            6,
            "round for ever",
        ),
        ("overflow = \"support/general\"", "overflow = \"support/gneral\"", 10, "there is no queue"),
        ("{ overflow = \"support/general\" }", "{}", 10, "either `say` something"),
    ] {
        assert!(CLOSING.contains(from), "{from}");
        let error = read(&CLOSING.replacen(from, to, 1)).unwrap_err();
        assert!(error.message.contains(says), "{to}: {error}");
        assert_eq!(error.line, Some(line), "{to}: {error}");
    }
    let nowhere = read(&CLOSING.replace("Europe/Berlin", "Europe/Berlyn")).unwrap_err();
    assert!(nowhere.message.contains("\"Europe/Berlyn\" is not an IANA time zone"), "{nowhere}");
    assert_eq!(nowhere.line, Some(17));
    let unused = format!("{CLOSING}\n[hours.nights]\ntime_zone = \"UTC\"\nopen = [\"mon 00:00-24:00\"]\n");
    let error = read(&unused).unwrap_err();
    assert_eq!((error.line, error.message.contains("goes by these hours")), (Some(21), true), "{error}");
}

#[test]
fn an_inbox_of_short_messages_is_checked_by_its_provider() {
    let settings = |lines: &str| {
        let inbox = format!(
            "[inboxes.sms]\nchannel = \"sms\"\naddress = \"+15550100\"\nqueue = \"support/general\"\n[inboxes.sms.settings]\n{lines}\n\n[queues"
        );
        read(&GOOD.replacen("[queues", &inbox, 1))
    };
    let smpp =
        "provider = \"smpp\"\nsmpp = \"smsc.example:2775\"\nsystem_id = \"acme\"\npassword = \"secret:smsc\"";
    settings(smpp).unwrap();
    settings("account_sid = \"secret:sid\"\nauth_token = \"secret:token\"\nregion = \"DE\"").unwrap();
    for (lines, named) in [
        (smpp.replace(":2775", ""), "settings.smpp"),
        (format!("{smpp}\nwindow = \"0\""), "settings.window"),
        (format!("{smpp}\nwidnow = \"9\""), "did you mean `window`"),
        (smpp.replace("secret:smsc", "hunter2"), "secret:NAME"),
        ("provider = \"pigeon\"".to_owned(), "settings.provider"),
        ("region = \"Mars\"".to_owned(), "settings.region"),
        ("provider = \"http\"\nsignature = \"jwt\"".to_owned(), "settings.signature_secret"),
    ] {
        let error = settings(&lines).unwrap_err();
        assert!(error.line.is_some() && error.to_string().contains(named), "{error}");
    }
}

/// A Page with a link.
fn with_link(lines: &str) -> String {
    let page = "[inboxes.page]\nchannel = \"messenger\"\naddress = \"42\"\nbot = \"greeter\"\n\
                queue = \"support/general\"\n";
    format!("{GOOD}\n{page}\n[links.summer]\ninbox = \"page\"\n{lines}\n")
}

#[test]
fn a_link_leads_where_it_says() {
    let text = with_link(
        "ref = \"s-26\"\nfirst_message = \"The offer!\"\ntext = \"I & you?\"\ntags = [\"leaflet\"]",
    );
    let policy = read(&text).unwrap();
    let link = &policy.links[&"summer".parse().unwrap()];
    let inbox = &policy.inboxes[&link.inbox];
    assert_eq!(link.url(inbox, None).unwrap(), "https://m.me/42?ref=s-26&text=I%20%26%20you%3F");
    assert_eq!(
        link.url(inbox, Some("abc")).unwrap(),
        "https://m.me/42?ref=s-26.tk1-abc&text=I%20%26%20you%3F"
    );
    let named = |channel: &str, lines: &str, name: &str| {
        let text = with_link(lines).replace("\"messenger\"", &format!("\"{channel}\""));
        let text = format!("{text}\n[inboxes.page.settings]\nlink_name = \"{name}\"\n");
        let policy = read(&text).unwrap();
        let link = &policy.links[&"summer".parse().unwrap()];
        link.url(&policy.inboxes[&link.inbox], Some("abc")).unwrap()
    };
    assert_eq!(
        named("instagram", "ref = \"s+26\"", "@acme.shop"),
        "https://ig.me/m/acme.shop?ref=s%2B26.tk1-abc"
    );
    let said = named("whatsapp", "text = \"From the poster\"", "+49 30 123".replace(' ', "").as_str());
    assert_eq!(said, "https://wa.me/4930123?text=From%20the%20poster%20tk1-abc");
}

#[test]
fn a_link_that_cannot_work_names_its_line() {
    let first = with_link("").lines().position(|line| line.contains("[links.summer]")).unwrap() + 1;
    for (lines, line, says) in [
        ("", 0, "what the platform is to tell"),
        ("ref = \"two words\"", 2, "letters, digits and +/=-.:_ only, not ' '"),
        ("ref = \"sommer-ß\"", 2, "not 'ß'"),
        ("ref = \"\"", 2, "1 to 80 characters, not 0"),
        ("ref = \"a.tk1-b\"", 2, "stands before a token"),
        ("ref = \"a\"\nqueue = \"support/none\"", 3, "there is no queue acme/support/none"),
        ("ref = \"a\"\nbot = \"nobody\"", 3, "there is no bot nobody"),
        ("ref = \"a\"\npeople_only = true\nfirst_message = \"Hi\"", 4, "nobody says it"),
        ("ref = \"a\"\ntags = [\"\"]", 3, "a tag has 1 to 64 bytes"),
        ("ref = \"a\"\nrefs = \"b\"", 3, "did you mean `ref`"),
        ("ref = \"a\"\n[links.other]\ninbox = \"page\"\nref = \"a\"", 2, "link other has it already"),
        (
            "ref = \"a\"\n[links.other]\ninbox = \"mail\"\nref = \"b\"",
            4,
            "no link leads into an inbox for email",
        ),
        ("ref = \"a\"\n[links.other]\ninbox = \"gone\"\nref = \"b\"", 4, "there is no inbox gone"),
    ] {
        let error = read(&with_link(lines)).unwrap_err();
        assert!(error.message.contains(says), "{lines}: {error}");
        assert_eq!(error.line.map(|at| at - first), Some(line), "{lines}: {error}");
    }
    // Only the link itself says what the account is called.
    let nameless = with_link("ref = \"a\"").replace("\"messenger\"", "\"instagram\"");
    assert!(read(&nameless).unwrap_err().message.contains("link_name"));
    let told =
        with_link("ref = \"a\"").replace("\"messenger\"", "\"whatsapp\"").replace("\"42\"", "\"+15550100\"");
    assert!(read(&told).unwrap_err().message.contains("say `text`"));
}
