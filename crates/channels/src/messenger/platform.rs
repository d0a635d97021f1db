//! What Meta's platforms allow, as data: windows, limits, rates, and what an error means. Each stands with the page that
//! says it and the day on which it was written down, so that whoever checks a rule knows where. Nothing here decides anything:
//! what comes in asks it how long a customer may be answered, what goes out what fits and what an error means.

use super::Kind;

const MINUTE: u64 = 60 * 1000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A page of the platform's documentation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source {
    /// Below <https://developers.facebook.com/docs/>.
    pub page: &'static str,
    /// The day on which the rule was written down here, from what is known of the page: whoever doubts it looks there.
    pub noted: &'static str,
}

const fn source(page: &'static str) -> Source {
    Source { page, noted: "2026-11-22" }
}

const POLICY: Source = source("messenger-platform/policy/policy-overview");
const TAGS: Source = source("messenger-platform/send-messages/message-tags");
const INSTAGRAM: Source = source("messenger-platform/instagram/features/send-message");
const PAGE_ERRORS: Source = source("messenger-platform/error-codes");
const GRAPH_ERRORS: Source = source("graph-api/guides/error-handling");
const RATES: Source = source("graph-api/overview/rate-limiting");
const SEND: Source = source("messenger-platform/reference/send-api");
const BUTTONS: Source = source("messenger-platform/reference/templates/button");
const GENERIC: Source = source("messenger-platform/reference/templates/generic");
const CLOUD_MESSAGES: Source = source("whatsapp/cloud-api/reference/messages");
const CLOUD_ERRORS: Source = source("whatsapp/cloud-api/support/error-codes");
const CLOUD_OVERVIEW: Source = source("whatsapp/cloud-api/overview");
const CLOUD_MEDIA: Source = source("whatsapp/cloud-api/reference/media");

/// A number and the page that gives it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule<T> {
    pub is: T,
    pub source: Source,
}

const fn rule<T: Copy>(is: T, source: Source) -> Rule<T> {
    Rule { is, source }
}

/// How long a customer may be answered, in milliseconds since the customer last did something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Windows {
    /// By anyone.
    pub anyone: Rule<u64>,
    /// By anyone, where an advertisement led the customer here.
    pub from_ad: Option<Rule<u64>>,
    /// By a person, whose message then carries the tag.
    pub person: Option<Rule<u64>>,
    /// With a template that was approved before, at any time.
    pub template: Option<Rule<()>>,
}

/// What fits into one message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Characters of a text; Instagram counts bytes.
    pub text: Rule<usize>,
    pub text_in_bytes: bool,
    /// Answers offered for tapping, and the characters of each.
    pub quick_replies: Rule<(usize, usize)>,
    /// Buttons under a text: how many, the characters of each title, and those of the text.
    pub buttons: Rule<(usize, usize, usize)>,
    /// Cards side by side: how many, and the characters of title and of subtitle.
    pub cards: Option<Rule<(usize, usize, usize)>>,
    /// A list to choose from: rows in all, the characters of a row's title, and of its description.
    pub list: Option<Rule<(usize, usize, usize)>>,
    /// Bytes of what travels along and comes back in the echo.
    pub metadata: Rule<usize>,
    /// Bytes of a file that is uploaded.
    pub upload: Rule<usize>,
}

/// How fast messages may leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rates {
    /// Of one Page, account or number: calls a second.
    pub page: Rule<u32>,
    /// The same for audio and video, where that is less.
    pub media: Option<Rule<u32>>,
    /// To one customer: so many at once, and then one in so many milliseconds.
    pub thread: Option<Rule<(u32, u64)>>,
}

/// All of one member of the family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Platform {
    pub windows: Windows,
    pub limits: Limits,
    pub rates: Rates,
}

pub const MESSENGER: Platform = Platform {
    windows: Windows {
        anyone: rule(DAY, POLICY),
        from_ad: Some(rule(7 * DAY, POLICY)),
        person: Some(rule(7 * DAY, TAGS)),
        template: None,
    },
    limits: Limits {
        text: rule(2000, SEND),
        text_in_bytes: false,
        quick_replies: rule((13, 20), SEND),
        buttons: rule((3, 20, 640), BUTTONS),
        cards: Some(rule((10, 80, 80), GENERIC)),
        list: None,
        metadata: rule(1000, SEND),
        upload: rule(25 << 20, SEND),
    },
    rates: Rates { page: rule(300, RATES), media: Some(rule(10, RATES)), thread: None },
};

pub const INSTAGRAM_DIRECT: Platform = Platform {
    windows: Windows {
        anyone: rule(DAY, POLICY),
        from_ad: Some(rule(7 * DAY, POLICY)),
        person: Some(rule(7 * DAY, TAGS)),
        template: None,
    },
    limits: Limits {
        text: rule(1000, INSTAGRAM),
        text_in_bytes: true,
        quick_replies: rule((13, 20), INSTAGRAM),
        buttons: rule((3, 20, 640), BUTTONS),
        cards: Some(rule((10, 80, 80), GENERIC)),
        list: None,
        metadata: rule(1000, SEND),
        upload: rule(25 << 20, INSTAGRAM),
    },
    rates: Rates { page: rule(100, RATES), media: Some(rule(10, RATES)), thread: None },
};

pub const WHATSAPP: Platform = Platform {
    windows: Windows {
        anyone: rule(DAY, CLOUD_MESSAGES),
        from_ad: None,
        person: None,
        template: Some(rule((), CLOUD_MESSAGES)),
    },
    limits: Limits {
        text: rule(4096, CLOUD_MESSAGES),
        text_in_bytes: false,
        // Shown as reply buttons.
        quick_replies: rule((3, 20), CLOUD_MESSAGES),
        buttons: rule((3, 20, 1024), CLOUD_MESSAGES),
        cards: None,
        list: Some(rule((10, 24, 72), CLOUD_MESSAGES)),
        metadata: rule(512, CLOUD_MESSAGES),
        upload: rule(100 << 20, CLOUD_MEDIA),
    },
    rates: Rates {
        page: rule(80, CLOUD_OVERVIEW),
        media: None,
        thread: Some(rule((45, 6000), CLOUD_OVERVIEW)),
    },
};

impl Kind {
    pub fn platform(self) -> &'static Platform {
        match self {
            Kind::Messenger => &MESSENGER,
            Kind::Instagram => &INSTAGRAM_DIRECT,
            Kind::Whatsapp => &WHATSAPP,
        }
    }
}

/// What an error means for the message, and for those behind it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// Too late to answer this customer so: never again with this message, but perhaps by another way.
    Window,
    /// Nobody is there: blocked, deactivated, or never one of ours.
    Gone,
    /// The customer asked the platform for no more of this.
    OptedOut,
    /// Too many calls of this app, Page or number: all its messages wait.
    PageRate,
    /// Too many messages to this customer: this one waits.
    ThreadRate,
    /// The token is dead, or may not do this: nothing leaves until somebody acts.
    Token,
    /// Trouble on their side.
    Transient,
}

/// One row of the table: an error by its code and, where that decides, its subcode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ErrorRule {
    pub codes: (i64, i64),
    pub subcode: Option<i64>,
    pub class: Class,
    pub source: Source,
}

const fn error(code: i64, class: Class, source: Source) -> ErrorRule {
    ErrorRule { codes: (code, code), subcode: None, class, source }
}

const fn with(code: i64, subcode: i64, class: Class, source: Source) -> ErrorRule {
    ErrorRule { codes: (code, code), subcode: Some(subcode), class, source }
}

/// The first row that fits counts. What fits none is refused for good, unless the platform calls it transient.
pub const ERRORS: &[ErrorRule] = &[
    // Outside of the window.
    with(10, 2_018_278, Class::Window, PAGE_ERRORS),
    with(10, 2_018_065, Class::Window, PAGE_ERRORS),
    with(10, 2_534_022, Class::Window, PAGE_ERRORS),
    error(470, Class::Window, CLOUD_ERRORS),
    error(131_047, Class::Window, CLOUD_ERRORS),
    // Nobody there.
    error(551, Class::Gone, PAGE_ERRORS),
    with(100, 2_018_001, Class::Gone, PAGE_ERRORS),
    with(10, 2_018_108, Class::Gone, PAGE_ERRORS),
    with(200, 1_545_041, Class::Gone, PAGE_ERRORS),
    error(131_050, Class::OptedOut, CLOUD_ERRORS),
    // Rates: of the app, the user, the Page, a custom one, a business's use case, a number.
    with(613, 1_893_016, Class::ThreadRate, PAGE_ERRORS),
    error(4, Class::PageRate, RATES),
    error(17, Class::PageRate, RATES),
    error(32, Class::PageRate, RATES),
    error(613, Class::PageRate, RATES),
    ErrorRule { codes: (80_000, 80_999), subcode: None, class: Class::PageRate, source: RATES },
    error(130_429, Class::PageRate, CLOUD_ERRORS),
    error(131_048, Class::PageRate, CLOUD_ERRORS),
    error(133_016, Class::PageRate, CLOUD_ERRORS),
    error(131_056, Class::ThreadRate, CLOUD_ERRORS),
    // The token, or what it may do.
    error(0, Class::Token, CLOUD_ERRORS),
    error(3, Class::Token, CLOUD_ERRORS),
    error(10, Class::Token, GRAPH_ERRORS),
    error(102, Class::Token, GRAPH_ERRORS),
    error(190, Class::Token, GRAPH_ERRORS),
    ErrorRule { codes: (200, 299), subcode: None, class: Class::Token, source: GRAPH_ERRORS },
    error(368, Class::Token, CLOUD_ERRORS),
    error(131_005, Class::Token, CLOUD_ERRORS),
    error(131_031, Class::Token, CLOUD_ERRORS),
    error(131_042, Class::Token, CLOUD_ERRORS),
    // Trouble on their side.
    error(1, Class::Transient, GRAPH_ERRORS),
    error(2, Class::Transient, GRAPH_ERRORS),
    error(1200, Class::Transient, PAGE_ERRORS),
    error(131_000, Class::Transient, CLOUD_ERRORS),
    error(131_016, Class::Transient, CLOUD_ERRORS),
    error(131_057, Class::Transient, CLOUD_ERRORS),
];

/// What this error means; none where the message as it is will never be taken.
pub fn class_of(code: i64, subcode: Option<i64>) -> Option<Class> {
    let fits = |rule: &&ErrorRule| {
        (rule.codes.0..=rule.codes.1).contains(&code)
            && rule.subcode.is_none_or(|wanted| subcode == Some(wanted))
    };
    ERRORS.iter().find(fits).map(|rule| rule.class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subcode_counts_before_its_code() {
        assert_eq!(class_of(10, Some(2_018_278)), Some(Class::Window));
        assert_eq!(class_of(10, None), Some(Class::Token));
        assert_eq!(class_of(100, Some(2_018_001)), Some(Class::Gone));
        assert_eq!(class_of(100, None), None);
        assert_eq!(class_of(80_006, None), Some(Class::PageRate));
        assert_eq!(class_of(81_000, None), None);
    }

    #[test]
    fn no_row_is_hidden_by_one_before_it() {
        for (at, rule) in ERRORS.iter().enumerate() {
            let found = class_of(rule.codes.0, rule.subcode);
            assert_eq!(found, Some(rule.class), "row {at}: {rule:?}");
        }
    }

    #[test]
    fn every_rule_says_when_it_was_noted() {
        for source in ERRORS.iter().map(|rule| rule.source) {
            assert!(
                source.noted.parse::<jiff::civil::Date>().is_ok() && !source.page.is_empty(),
                "{source:?}"
            );
        }
    }
}
