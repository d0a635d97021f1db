//! The parsed message: the MIME parser's reading, with what it cannot read mended around it.
//!
//! ```text
//! bytes ─▶ straight, hollow ─▶ bounds ─▶ mail-parser ─┬─▶ fields, of the mended head
//!                                                     └─▶ body (charset, transfer, html), attachments
//! ```

use std::borrow::Cow;

use mail_parser::{Address, DateTime, HeaderName, HeaderValue, Message};

mod attachment;
mod body;
mod bounds;
mod charset;
mod head;
mod hollow;
mod straight;
mod transfer;

pub(super) use attachment::attachments;
pub(super) use body::body;
pub(super) use bounds::fenced;

/// Addresses and ids of one field that are kept; no person sends a mail to more.
const LISTED: usize = 1000;
/// Octets of a header that are mended; a longer one is read as it is.
const MENDED: usize = 256 * 1024;

/// A message's bytes in the form that the parser expects.
pub(super) struct Straight<'a> {
    raw: Cow<'a, [u8]>,
    head: Option<Vec<u8>>,
}

/// A message that was parsed.
pub(super) struct Parsed<'a> {
    pub(super) message: Message<'a>,
    /// Its header once more, where it had to be mended.
    head: Option<Message<'a>>,
}

impl<'a> Straight<'a> {
    pub(super) fn of(raw: &'a [u8]) -> Self {
        let raw = straight::straighten(raw);
        let raw = hollow::hollow(&raw).map_or(raw, Cow::Owned);
        let head = &raw[..straight::head_end(&raw)];
        let head = if head.len() <= MENDED { head::mend(head) } else { None };
        Straight { raw, head }
    }

    /// Parses it if it is within bounds, otherwise says why not.
    pub(super) fn parse(&self) -> Result<Parsed<'_>, &'static str> {
        let message = bounds::parse(&self.raw)?;
        let head =
            self.head.as_ref().and_then(|head| fenced(|| Ok(bounds::PARSER.parse_headers(head))).ok()?);
        Ok(Parsed { message, head })
    }

    /// The same message with the boundary that its parts really have, where that is not the one that it names.
    pub(super) fn with_boundary_of(&self, parsed: &Parsed<'_>) -> Option<Straight<'static>> {
        let raw = straight::with_true_boundary(&self.raw, &parsed.message)?;
        Some(Straight { raw: Cow::Owned(raw), head: self.head.clone() })
    }
}

impl Parsed<'_> {
    /// The first field of a name: what mail programs show when there are several. The parser itself prefers the last.
    pub(super) fn field(&self, name: &'static str) -> Option<&HeaderValue<'_>> {
        self.fields(name).next()
    }

    fn fields(&self, name: &'static str) -> impl Iterator<Item = &HeaderValue<'_>> {
        let name = HeaderName::from(name);
        let message = self.head.as_ref().unwrap_or(&self.message);
        message.headers().iter().filter(move |field| field.name == name).map(|field| &field.value)
    }

    /// When the last mail server took it.
    pub(super) fn received(&self) -> Option<DateTime> {
        let raw = self.message.header_raw(HeaderName::Received)?;
        // `… by x.test; Tue, 3 Mar 2026 09:41:00 +0100`
        DateTime::parse_rfc822(raw.rsplit_once(';')?.1.trim())
    }

    /// How many servers say that they passed it on.
    pub(super) fn hops(&self) -> usize {
        self.message.headers().iter().filter(|field| field.name == HeaderName::Received).count()
    }

    /// A field as it is written, in one line.
    pub(super) fn raw(&self, name: &'static str) -> Option<&str> {
        self.message.header_raw(HeaderName::from(name)).map(str::trim)
    }

    /// The text of a field, in one line.
    pub(super) fn line(&self, name: &'static str) -> Option<String> {
        let text = self.field(name)?.as_text()?;
        let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Some(line.trim().to_owned())
    }

    pub(super) fn first_address(&self, name: &'static str) -> Option<String> {
        self.fields(name)
            .filter_map(HeaderValue::as_address)
            .flat_map(Address::iter)
            .find_map(|one| bare(one.address()?))
    }

    pub(super) fn addresses(&self, name: &'static str) -> Vec<String> {
        let all = self.fields(name).filter_map(HeaderValue::as_address).flat_map(Address::iter);
        all.filter_map(|one| bare(one.address()?)).take(LISTED).collect()
    }

    pub(super) fn ids(&self, name: &'static str) -> Vec<String> {
        // Of several fields the last has ids most often; of one, all of them count.
        self.fields(name).map(ids).find(|ids| !ids.is_empty()).unwrap_or_default()
    }
}

/// Lower case, without what does not belong into an address. A name without a domain (`root`) is one, locally.
pub(super) fn bare(address: &str) -> Option<String> {
    let mut address = address.trim().trim_matches(['<', '>']).to_lowercase();
    if address.contains(char::is_whitespace) {
        // White space between the parts of an address (RFC 5322 section 4.4).
        let pieces: Vec<&str> = address.split_whitespace().collect();
        let joins = |pair: &[&str]| pair[0].ends_with(['.', '@']) || pair[1].starts_with(['.', '@']);
        if pieces.windows(2).all(joins) {
            address = pieces.concat();
        }
    }
    // An obsolete route: `@relay.test:user@x.test`.
    let address = match address.strip_prefix('@').and_then(|route| route.split_once(':')) {
        Some((_, address)) => address.to_owned(),
        None => address,
    };
    (!address.is_empty() && !address.contains(|c: char| c.is_whitespace() || c.is_control()))
        .then_some(address)
}

fn ids(header: &HeaderValue<'_>) -> Vec<String> {
    match header {
        HeaderValue::Text(text) => id(text).into_iter().collect(),
        HeaderValue::TextList(list) => list.iter().filter_map(|text| id(text)).take(LISTED).collect(),
        _ => Vec::new(),
    }
}

/// A Message-ID without its angle brackets.
pub(super) fn id(text: &str) -> Option<String> {
    let text = text.trim().trim_matches(['<', '>']);
    (!text.is_empty() && !text.contains(char::is_control)).then(|| text.to_owned())
}
