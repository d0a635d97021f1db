//! Why a mail was not delivered, in the words of the servers that say so.

use std::sync::LazyLock;

use serde::Serialize;

use super::phrases::Phrases;

/// Why a recipient did not get a mail.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    UserUnknown,
    HostUnknown,
    /// The recipient's domain takes no mail at all (RFC 7505).
    TakesNoMail,
    Moved,
    MailboxFull,
    /// The mailbox is there, and closed for now.
    Suspended,
    /// The recipient, or a rule of theirs, refuses.
    Filtered,
    TooLarge,
    Content,
    /// Our server, our domain or our authentication is refused.
    Blocked,
    Expired,
    Network,
    System,
    Unclear,
}

impl Cause {
    /// Whether the address itself is dead: a further mail to it fails as well, whoever sends it and whatever it is.
    pub fn is_hard(self) -> bool {
        matches!(self, Cause::UserUnknown | Cause::HostUnknown | Cause::TakesNoMail | Cause::Moved)
    }

    /// Its code (RFC 3463) without the class, for reports that give none.
    pub(super) fn code(self) -> &'static str {
        match self {
            Cause::UserUnknown => "1.1",
            Cause::HostUnknown => "1.2",
            Cause::TakesNoMail => "1.10",
            Cause::Moved => "1.6",
            Cause::MailboxFull => "2.2",
            Cause::Suspended => "2.1",
            Cause::Filtered => "7.1",
            Cause::TooLarge => "3.4",
            Cause::Content => "6.0",
            Cause::Blocked => "7.1",
            Cause::Expired => "4.7",
            Cause::Network => "4.1",
            Cause::System => "3.0",
            Cause::Unclear => "0.0",
        }
    }

    /// What the words of a server clearly say; `text` is in lower case.
    pub(super) fn said(text: &str) -> Option<Cause> {
        static CLEARLY: LazyLock<Phrases<Cause>> = LazyLock::new(|| Phrases::new(CLEAR));
        CLEARLY.said(text)
    }

    /// What words that could mean several things most likely say.
    pub(super) fn hinted(text: &str) -> Option<Cause> {
        static VAGUELY: LazyLock<Phrases<Cause>> = LazyLock::new(|| Phrases::new(VAGUE));
        VAGUELY.said(text)
    }

    /// What a status code (RFC 3463 and its registry) says by itself.
    pub(super) fn of_status(status: &str) -> Option<Cause> {
        let (class, detail) = status.split_once('.')?;
        Some(match detail {
            "1.1" | "1.0" | "1.3" | "1.4" if class == "5" => Cause::UserUnknown,
            "1.2" if class == "5" => Cause::HostUnknown,
            "4.4" if class == "5" => Cause::HostUnknown,
            "1.6" => Cause::Moved,
            "1.10" if class == "5" => Cause::TakesNoMail,
            "1.7" | "1.8" => Cause::Blocked,
            "2.2" => Cause::MailboxFull,
            "2.1" | "7.13" => Cause::Suspended,
            "2.3" | "3.4" => Cause::TooLarge,
            "4.7" => Cause::Expired,
            "4.1" | "4.2" | "4.6" => Cause::Network,
            "3.0" | "3.1" | "3.2" | "3.5" | "4.3" | "4.5" => Cause::System,
            _ if detail.starts_with("7.") => Cause::Blocked,
            _ if detail.starts_with("6.") => Cause::Content,
            _ => return None,
        })
    }
}

/// The first that fits counts: what is said of an address comes before what is said of a message or a server.
const CLEAR: &[(Cause, &str)] = &[
    (
        Cause::Blocked,
        "sender address rejected|domain of sender|sender domain must|client host rejected|\
        ip name lookup failed|sender verify failed|unauthenticated",
    ),
    (Cause::Network, "not found, try again|temporary lookup failure|temporarily unable to look up"),
    (
        Cause::Moved,
        "user has moved|has moved to|please try <|user not local; please try|address has changed|\
        address changed|has been replaced|mailbox moved|is no longer valid, please use|new address is",
    ),
    (
        Cause::TakesNoMail,
        "does not accept mail|nullmx|null mx|doesn't accept mail|not accept email|\
        does not accept email|does not receive mail|no mx found|couldn't find a mail exchanger|no mail exchanger|\
        does not accept any mail|domain does not accept|no longer accepts mail|not a mail exchanger|\
        smtp protocol returned a permanent error|we do not accept mail|sender domain has null mx|\
        doesn't receive mail|name server: .: host not found|does not handle mail|has no mail exchanger|\
        server does not accept mail",
    ),
    (
        Cause::MailboxFull,
        "mailbox full|mailbox is full|over quota|overquota|over the maximum allowed|quota exceed|\
        exceeded quota|mailbox exceeds allowed|mailbox size limit|exceeded storage|storage exceeded|\
        mailbox for user is full|is full|disk quota|exceeds quota|quota has been|inbox is out of storage|\
        out of storage|insufficient disk space|not enough disk space|not enough storage|mailbox has exceeded|\
        account is over|mail box full|boîte pleine|postfach ist voll|postfach voll|exceed the quota|\
        exceeds the quota|user is over|over his quota|over her quota|limit has been exceeded for|full mailbox|\
        メールボックスが一杯|空き容量|mailbox quota|too much mail data|exceeded its quota|casella piena|\
        buzón lleno|storage quota|mailbox would exceed|mailbox_full|maximum mailbox size|user's disk",
    ),
    (
        Cause::UserUnknown,
        "user unknown|unknown user|no such user|user not found|no such recipient|\
        recipient not found|unknown recipient|recipient unknown|no such mailbox|mailbox not found|\
        mailbox does not exist|does not exist|doesn't exist|invalid recipient|unknown mailbox|\
        mailbox unknown|no such address|address unknown|unknown address|user doesn't|no mailbox here|\
        not a valid mailbox|not a valid user|isn't a valid|is not a known user|unknown local|\
        recipient address rejected: undeliverable|not listed in|doesn't have an account|doesn't have a|\
        addressee unknown|no user here|is not a valid|not our customer|no account by that name|\
        invalid mailbox|nosuchuser|user does not|unrouteable address|unknown or illegal alias|\
        no such person|recipientnotfound|recipnotfound|adrerr|bad address|not recognized|\
        recipient address rejected: access denied|invalid user|unknown account|no mail box available|\
        no valid recipient|recipient not exist|user is unknown|not exist here|unknown in virtual|\
        unknown in local|unknown in relay|no local mailbox|not known here|account not found|\
        mailbox not available|address not found|address does not|no longer on server|no longer with|\
        no longer employed|is unknown|couldn't be found|could not be found|wasn't found|was not found|\
        bad destination mailbox|address no longer|user account does not|no one by that name|\
        見つかりませんでした|存在しません|該当するユーザ|該当ユーザ|utilisateur inconnu|adresse inconnue|\
        nicht gefunden|existiert nicht|empfänger unbekannt|nepoznat|no existe|inesistente|usuario desconocido|\
        неизвестный|не найден|不存在|找不到|user inactive or unknown|can't find|recipient is not|\
        not a known|not found in|mailbox name not allowed|unknown e-mail|inexistente|is not our",
    ),
    (
        Cause::HostUnknown,
        "host unknown|unknown host|host not found|host or domain name not found|domain not found|\
        no such domain|no such host|unrouteable mail domain|unrouteable domain|domain name not found|\
        name or service not known|nxdomain|bad destination host|illegal host|unknown domain|\
        domain must resolve|couldn't find any host|couldn't find a host|could not find any host|\
        dns error|dns lookup|name service error|unable to look up|domain is not|no route for|\
        domain doesn't|nonexistent domain|non-existent domain|not resolve|lookup failed|malformed domain|\
        no a or mx|can't resolve|cannot resolve|cannot find your|\
        no matches to nameserver query|domain part|mx record|mail server for domain",
    ),
    (
        Cause::Suspended,
        "account disabled|account is disabled|mailbox disabled|mailbox is disabled|suspended|\
        inactive|account is locked|account locked|deactivated|not active|temporarily disabled|user disabled|\
        is disabled|has been disabled|mailbox is inactive|account closed|out of use|locked|expired account|\
        email account that you tried to reach is disabled|account expired|mailbox currently suspended|\
        mailbox frozen",
    ),
    (
        Cause::Filtered,
        "recipient preferences|refused due to recipient|user reject|rejected by recipient|\
        blocked by recipient|refused by recipient|user refused|this user doesn't accept|not accepted by recipient|\
        recipient has rejected|recipient refused|sender is not on|restricted by the recipient|\
        delivery restrictions|only accepts mail from|address is reserved|allowed only to",
    ),
    (
        Cause::TooLarge,
        "too large|too big|message size|size limit|exceeds maximum size|exceeds the maximum|\
        larger than the|exceeds size|exceeded maximum|max message size|message length exceeds|\
        exceeded the maximum message",
    ),
    (
        Cause::Blocked,
        "spf|dkim|dmarc|spam|blacklist|blocklist|block list|black list|listed at|listed in|blocked|\
        relay|authentication|authenticate|reputation|policy|banned|access denied|denied|not allowed|\
        unauthenticated|not authorized|reverse dns|ptr record|rejected for|virus|malware|greylist|graylist|\
        too many connections|rate limit|ratelimit|throttl|suspicious|bulk|unsolicited|\
        sender address rejected|sender rejected|sender domain|domain of sender|permission|junk|\
        not permitted|refused by|prohibited|abuse|rbl|spamhaus|unexpectedly high|deferred due to|\
        high volume|ip address|untrusted|bad sender|sender verify|mail from|forbidden|security",
    ),
    (
        Cause::Expired,
        "timed out|timeout|expired|for the last|giving up|undelivered for|could not be delivered for|\
        too long|too old|has been in the queue|retry time|retry limit|maximum retries|delayed for|\
        cannot send message for|delivery is delayed|not been delivered|been trying|time limit|exceeded for|\
        unable to deliver the message for|given up|still undelivered|tried for|delivery attempts|\
        keep trying|will be retried|delivery is still",
    ),
    (
        Cause::Network,
        "connection refused|no route to host|network error|network is unreachable|connection reset|\
        connection lost|lost connection|broken pipe|too many hops|hop count|loop|connection was dropped|\
        unable to connect|could not connect|connection dropped|cannot connect|connect to|connection closed|\
        temporarily unreachable|unreachable|not reachable|no answer from host|connection failed|wasn't able to establish",
    ),
];

const VAGUE: &[(Cause, &str)] = &[
    (
        Cause::Content,
        "content|attachment|mime|header|not rfc|bare lf|8bit|message format|malformed message|\
        line too long|charset|encoding",
    ),
    (
        Cause::System,
        "system error|internal error|local error|server error|insufficient system|resources|disk full|\
        no space left|i/o error|local configuration|mail system|unable to create|can't create|cannot open|\
        service unavailable|try again|temporary failure|service not available|server busy|out of memory|\
        internal software|config error|deferred|queue|temporar",
    ),
    (
        Cause::UserUnknown,
        "mailbox unavailable|address rejected|recipient rejected|unroutable|unrouteable|\
        undeliverable address|not deliverable|invalid address|unavailable mailbox|bad recipient|\
        user not|not a user|not our user|mailbox is unavailable|mailbox not",
    ),
    (Cause::Filtered, "filtered|rejected"),
    (Cause::Expired, "retry|delayed|warning"),
    (Cause::Network, "connection|network|dns"),
    (Cause::Blocked, "refused|reject"),
    (Cause::MailboxFull, "quota|storage"),
    (Cause::System, "disk|protocol error|command|syntax"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_the_same_in_many_words() {
        for (text, cause) in [
            (
                "550 5.1.1 <a@x.test>: recipient address rejected: user unknown in relay recipient table",
                Cause::UserUnknown,
            ),
            ("552 5.2.2 mailbox full", Cause::MailboxFull),
            (
                "550 5.7.26 unauthenticated email from x.test is not accepted due to domain's dmarc policy",
                Cause::Blocked,
            ),
            ("host or domain name not found. name service error for name=x.test type=a", Cause::HostUnknown),
            ("556 5.1.10 x.test: domain does not accept mail (nullmx)", Cause::TakesNoMail),
            ("551 user has moved; please try <b@x.test>", Cause::Moved),
            ("552 5.3.4 message size exceeds fixed limit", Cause::TooLarge),
            ("connect to x.test[192.0.2.1]:25: connection timed out", Cause::Expired),
            ("454 4.7.1 relay access denied", Cause::Blocked),
        ] {
            assert_eq!(Cause::said(text), Some(cause), "{text}");
        }
        assert_eq!(Cause::said("hello"), None);
    }
}
