//! From texts to one checked [`Config`], and back to text.

use super::document::Document;
use super::error::ConfigError;
use super::{Config, MISTAKES_MAX, files, validate};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

impl Config {
    /// Reads one TOML text; `file` is only named in errors. An empty text is the default configuration.
    ///
    /// # Errors
    /// Every mistake that was found in one pass, with its place.
    pub fn from_toml(text: &str, file: Option<&Path>) -> Result<Self, ConfigError> {
        if text.len() as u64 > files::FILE_BYTES_MAX {
            let message = format!("is larger than {} bytes; split it", files::FILE_BYTES_MAX);
            return Err(ConfigError { file: file.map(Path::to_path_buf), ..ConfigError::bare(message) });
        }
        merged(&[(file.map(Path::to_path_buf), text.to_owned())])
    }

    /// The same configuration with another text laid over it, as a later drop-in would be: `a.b = 1` sets one key.
    ///
    /// # Errors
    /// Every mistake that was found in one pass, with its place.
    pub fn overlaid(&self, text: &str, file: Option<&Path>) -> Result<Self, ConfigError> {
        merged(&[(None, self.to_toml()), (file.map(Path::to_path_buf), text.to_owned())])
    }

    /// Reads a file and its drop-ins, `<path>.d/*.toml`, merged in the byte order of their names.
    ///
    /// A later file's key replaces an earlier one's, key by key; an array replaces an array. Two keys add up instead:
    /// `rules`, where a rule of a name that an earlier file used replaces that rule, and `rules_off`.
    ///
    /// # Errors
    /// A file that cannot be read, or every mistake that was found in one pass, with its file and place.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let texts = files::files(path)?
            .into_iter()
            .map(|path| files::read(&path).map(|text| (Some(path), text)))
            .collect::<Result<Vec<_>, _>>()?;
        merged(&texts)
    }

    /// Checks what the types cannot say: ranges, rules, paths.
    ///
    /// # Errors
    /// Every mistake, without a place, since there is no text.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let mistakes = validate::mistakes(self).into_iter().map(|m| ConfigError::bare(m.message)).collect();
        ConfigError::several(mistakes).map_or(Ok(()), Err)
    }

    /// The whole configuration as TOML, every default written out. Reading it again gives an equal configuration.
    #[must_use]
    pub fn to_toml(&self) -> String {
        // Every field is a table, a number, a string or an array of them, and no path of ours is other than UTF-8:
        // `validate` would have had to come from a text. A path that is not is shown as a comment, not as nothing.
        toml::to_string(self)
            .unwrap_or_else(|error| format!("# this configuration cannot be shown: {error}\n"))
    }
}

/// Texts, each with its file, become one configuration.
fn merged(texts: &[(Option<PathBuf>, String)]) -> Result<Config, ConfigError> {
    let mut mistakes = Vec::new();
    let mut documents = Vec::new();
    for (file, text) in texts {
        match Document::parse(text, file.as_deref()) {
            Ok(document) => {
                mistakes.extend(document.mistakes());
                mistakes.extend(same_names(&document));
                documents.push(document);
            }
            Err(error) => mistakes.push(error),
        }
    }
    mistakes.truncate(MISTAKES_MAX);
    if let Some(error) = ConfigError::several(mistakes) {
        return Err(error);
    }
    let mut table = Table::new();
    for document in &documents {
        merge(&mut table, document.table()?);
    }
    // Each text was right by itself, so that the sum of them is: this error has no place because it cannot happen.
    let config = Config::deserialize(table).map_err(|error| ConfigError::bare(error.message()))?;
    let mistakes = validate::mistakes(&config).into_iter().map(|mistake| {
        let path: Vec<&str> = mistake.path.iter().map(String::as_str).collect();
        let placed = documents.iter().rev().find_map(|document| {
            // A key that is missing is pointed at where it should be.
            let found = (1..=path.len()).rev().find_map(|length| document.locate(&path[..length]));
            found.map(|span| document.mistake(Some(span), mistake.message.clone()))
        });
        placed.unwrap_or_else(|| ConfigError::bare(mistake.message))
    });
    ConfigError::several(mistakes.collect()).map_or(Ok(config), Err)
}

/// Two rules of one name in one text: the second is a slip of the hand, not an override.
fn same_names(document: &Document<'_>) -> Vec<ConfigError> {
    let mut seen = std::collections::HashSet::new();
    document
        .rule_names()
        .filter(|(name, _)| !seen.insert(name.to_owned()))
        .map(|(name, span)| {
            document.mistake(Some(span), format!("a second rule named {name:?}; give it another name"))
        })
        .collect()
}

/// Lays a later text over an earlier one.
fn merge(base: &mut Table, over: Table) {
    for (key, value) in over {
        match (base.get_mut(&key), value) {
            (Some(Value::Table(base)), Value::Table(over)) => merge(base, over),
            (Some(Value::Array(base)), Value::Array(over)) if key == "rules" => {
                for rule in over {
                    match base.iter_mut().find(|earlier| earlier.get("name") == rule.get("name")) {
                        Some(earlier) => *earlier = rule,
                        None => base.push(rule),
                    }
                }
            }
            (Some(Value::Array(base)), Value::Array(over)) if key == "rules_off" => {
                for name in over {
                    if !base.contains(&name) {
                        base.push(name);
                    }
                }
            }
            (_, value) => {
                base.insert(key, value);
            }
        }
    }
}
