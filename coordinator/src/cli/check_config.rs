//! `check-config`: the settings were read, so they are right as far as can be told without opening
//! anything.

use super::print;
use crate::config::Config;

pub(super) fn run(config: &Config) -> anyhow::Result<()> {
    let differs = differences(
        &toml::Table::try_from(config)?,
        &toml::Table::try_from(Config::default())?,
    );
    let shown = if differs.is_empty() {
        "the settings are right; all are defaults\n".to_owned()
    } else {
        format!(
            "the settings are right; these differ from the defaults:\n\n{}",
            toml::to_string(&differs)?
        )
    };
    print(&shown)
}

/// What of `table` is not the same in `defaults`.
fn differences(table: &toml::Table, defaults: &toml::Table) -> toml::Table {
    table
        .iter()
        .filter(|(key, value)| defaults.get(*key) != Some(value))
        .map(|(key, value)| {
            let value = match (value, defaults.get(key)) {
                (toml::Value::Table(table), Some(toml::Value::Table(defaults))) => {
                    differences(table, defaults).into()
                }
                _ => value.clone(),
            };
            (key.clone(), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_shown() {
        let table = |text| toml::from_str(text).unwrap();
        let found = differences(
            &table("a = 1\nb = 2\n[c]\nd = 3\ne = 4\n[f]\ng = 1"),
            &table("a = 1\nb = 3\n[c]\nd = 3\ne = 5\n[f]\ng = 1"),
        );
        assert_eq!(found, table("b = 2\n[c]\ne = 4"));
    }
}
