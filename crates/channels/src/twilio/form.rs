//! A webhook's parameters, read once for the signature and for the facts.

use std::borrow::Cow;

/// `application/x-www-form-urlencoded`, decoded, sorted by name and then value, without repetitions.
#[derive(Debug)]
pub struct Form<'a> {
    fields: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Form<'a> {
    /// Every sequence of bytes is a form; what is not UTF-8 in it becomes U+FFFD.
    pub fn parse(body: &'a [u8]) -> Self {
        let mut fields: Vec<_> = form_urlencoded::parse(body).collect();
        fields.sort_unstable();
        fields.dedup();
        Form { fields }
    }

    /// The (first) value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        let first = self.fields.partition_point(|(key, _)| &**key < name);
        self.fields.get(first).filter(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|(name, value)| (&**name, &**value))
    }
}
