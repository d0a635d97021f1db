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

    /// The same from an object of JSON: its strings and numbers. None for anything else.
    pub fn from_json(body: &[u8]) -> Option<Form<'static>> {
        let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
        let field = |(name, value): (String, serde_json::Value)| match value {
            serde_json::Value::String(text) => Some((name.into(), text.into())),
            serde_json::Value::Number(number) => Some((name.into(), number.to_string().into())),
            _ => None,
        };
        let mut fields: Vec<(Cow<'static, str>, Cow<'static, str>)> =
            object.into_iter().filter_map(field).collect();
        fields.sort_unstable();
        Some(Form { fields })
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
