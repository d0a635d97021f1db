//! Reading TOML strictly: errors name the file, the line, the key, and the nearest key that would have been
//! right. Later layers (environment, arguments) overwrite single values of earlier ones.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

#[derive(Debug)]
pub struct Error {
    pub path: PathBuf,
    /// 1-based; none when the fault is not at one place.
    pub line: Option<usize>,
    pub message: String,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for Error {}

/// One value laid over what the file says: `http.listen` and its value.
pub struct Layer {
    pub key: String,
    pub value: String,
    /// Where it comes from, for errors: `TRIBUTARY__HTTP__LISTEN` or `--http`.
    pub from: String,
}

/// Reads the file strictly, then lays the layers over it.
pub fn read<T: DeserializeOwned>(path: &Path, text: &str, layers: &[Layer]) -> Result<T, Error> {
    // The file alone first: errors in it have lines.
    let of_file: T = toml::from_str(text).map_err(|error| explain(path, text, &error))?;
    if layers.is_empty() {
        return Ok(of_file);
    }
    let mut table: toml::Table = toml::from_str(text).map_err(|error| explain(path, text, &error))?;
    for layer in layers {
        lay(&mut table, layer).map_err(|message| Error {
            path: layer.from.clone().into(),
            line: None,
            message,
        })?;
    }
    let from = layers.iter().map(|layer| layer.from.as_str()).collect::<Vec<_>>().join(", ");
    T::deserialize(table).map_err(|error| Error {
        path: from.into(),
        line: None,
        message: with_nearest(error.message()),
    })
}

fn lay(table: &mut toml::Table, layer: &Layer) -> Result<(), String> {
    let mut at = table;
    let mut keys = layer.key.split('.').peekable();
    while let Some(key) = keys.next() {
        if keys.peek().is_none() {
            at.insert(key.to_owned(), value_of(&layer.value));
            return Ok(());
        }
        let next = at.entry(key.to_owned()).or_insert_with(|| toml::Table::new().into());
        at = next.as_table_mut().ok_or_else(|| format!("`{key}` is not a table"))?;
    }
    Ok(())
}

/// `true`, `8080` and `["a"]` are what they look like; everything else is text.
fn value_of(text: &str) -> toml::Value {
    let parsed: Result<toml::Table, _> = toml::from_str(&format!("value = {text}"));
    let parsed = parsed.ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

fn explain(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let line = error.span().map(|span| text[..span.start.min(text.len())].matches('\n').count() + 1);
    Error { path: path.into(), line, message: with_nearest(error.message()) }
}

/// serde lists the keys it expected; the nearest of them is worth more than the list.
fn with_nearest(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field `") else { return message.to_owned() };
    let Some((unknown, rest)) = rest.split_once('`') else { return message.to_owned() };
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let nearest = known
        .iter()
        .max_by(|a, b| strsim::jaro_winkler(a, unknown).total_cmp(&strsim::jaro_winkler(b, unknown)));
    match nearest {
        Some(nearest) => {
            format!("unknown key `{unknown}`; did you mean `{nearest}`? (known: {})", known.join(", "))
        }
        None => format!("unknown key `{unknown}`; nothing is configured here"),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        #[serde(default)]
        data: String,
        #[serde(default)]
        http: Inner,
    }

    #[derive(Deserialize, Debug, PartialEq, Default)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[serde(default)]
        listen: String,
        #[serde(default)]
        body_limit: u32,
    }

    fn sample(text: &str, layers: &[Layer]) -> Result<Sample, Error> {
        read(Path::new("t.toml"), text, layers)
    }

    #[test]
    fn an_unknown_key_names_its_line_and_the_nearest_key() {
        let error = sample("data = \"x\"\n\n[http]\nlisen = \"a\"\n", &[]).unwrap_err();
        assert_eq!(error.line, Some(4));
        let text = error.to_string();
        assert!(text.starts_with("t.toml:4: unknown key `lisen`; did you mean `listen`?"), "{text}");
    }

    #[test]
    fn a_wrong_type_names_its_line() {
        let error = sample("[http]\nbody_limit = \"big\"\n", &[]).unwrap_err();
        assert_eq!(error.line, Some(2));
    }

    #[test]
    fn layers_overwrite_single_values() {
        let layer = |key: &str, value: &str| Layer { key: key.into(), value: value.into(), from: "E".into() };
        let read =
            sample("[http]\nlisten = \"a\"\nbody_limit = 1\n", &[layer("http.body_limit", "2")]).unwrap();
        assert_eq!(read.http, Inner { listen: "a".into(), body_limit: 2 });
        let error = sample("", &[layer("http.body_limt", "2")]).unwrap_err();
        assert!(error.to_string().contains("did you mean `body_limit`"), "{error}");
    }
}
