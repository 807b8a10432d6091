//! An example for every request and answer of the document: what a handler or a type gives itself,
//! and otherwise one made from the schema, from the examples of its fields.
//!
//! A test compares all of them with their schemas. A type whose fields depend on each other in a way
//! that a schema cannot say gives an example of its own.

use serde_json::{Map, Value, json};
use utoipa::openapi::content::Content;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{OpenApi, RefOr};

/// Schemas within schemas; deeper than any of ours.
const DEPTH: usize = 16;

/// Adds what is missing.
pub(super) fn complete(document: &mut OpenApi) {
    let components = serde_json::to_value(&document.components).unwrap_or_default();
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            complete_operation(operation, &components);
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .filter_map(Option::as_mut)
}

fn complete_operation(operation: &mut Operation, components: &Value) {
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        for (kind, content) in &mut body.content {
            complete_content(kind, content, components);
        }
    }
    for (status, response) in &mut operation.responses.responses {
        if let (true, RefOr::T(response)) = (status.starts_with('2'), response) {
            for (kind, content) in &mut response.content {
                complete_content(kind, content, components);
            }
        }
    }
    for parameter in operation.parameters.iter_mut().flatten() {
        let RefOr::T(parameter) = parameter else {
            continue;
        };
        let schema = serde_json::to_value(&parameter.schema).unwrap_or_default();
        if parameter.description.is_none() && schema["format"] == "uuid" {
            parameter.description = Some("A UUID, as lists and other answers give it.".to_owned());
        }
    }
}

fn complete_content(kind: &str, content: &mut RefOr<Content>, components: &Value) {
    let RefOr::T(content) = content else {
        return;
    };
    let has_one = content.example.is_some() || !content.examples.is_empty();
    if kind == "application/json" && !has_one {
        let schema = serde_json::to_value(&content.schema).unwrap_or_default();
        content.example = Some(sample(&schema, components, DEPTH));
    }
}

/// A value that the schema allows.
pub(in crate::http) fn sample(schema: &Value, components: &Value, depth: usize) -> Value {
    if depth == 0 {
        return Value::Null;
    }
    let deeper = |schema: &Value| sample(schema, components, depth - 1);
    let named = schema["$ref"]
        .as_str()
        .and_then(|reference| reference.strip_prefix("#/components"))
        .and_then(|pointer| components.pointer(pointer));
    if let Some(schema) = named {
        return deeper(schema);
    }
    for key in ["example", "const", "default"] {
        if let Some(given) = schema.get(key) {
            return given.clone();
        }
    }
    for key in ["examples", "enum"] {
        if let Some(first) = schema[key].get(0) {
            return first.clone();
        }
    }
    for key in ["oneOf", "anyOf"] {
        let choices = schema[key].as_array().into_iter().flatten();
        if let Some(choice) = choices.clone().find(|choice| choice["type"] != "null") {
            return deeper(choice);
        }
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let fields = parts.iter().map(deeper).filter_map(|part| match part {
            Value::Object(fields) => Some(fields),
            _ => None,
        });
        let merged: Map<_, _> = fields.flatten().collect();
        return merged.into();
    }
    match kind(schema) {
        "object" => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let fields: Map<_, _> = properties
                .map(|(name, schema)| (name.clone(), deeper(schema)))
                .collect();
            fields.into()
        }
        "array" => json!([deeper(&schema["items"])]),
        "string" => text(schema).into(),
        "integer" => number(schema).into(),
        "number" => json!(number(schema)),
        "boolean" => false.into(),
        _ => json!({}),
    }
}

/// The type, or the first that is not `null`.
fn kind(schema: &Value) -> &str {
    let one = schema["type"].as_str();
    let several = || {
        let kinds = schema["type"].as_array()?.iter();
        kinds.filter_map(Value::as_str).find(|kind| *kind != "null")
    };
    one.or_else(several).unwrap_or_default()
}

fn text(schema: &Value) -> String {
    let format = schema["format"].as_str().unwrap_or_default();
    let text = match format {
        "uuid" => "01954f3e-8d2f-7c51-a3b0-d6a4f1c2e3b4",
        "date-time" => "2026-03-01T14:00:00Z",
        "date" => "2026-03-01",
        "uri" => "https://cctv.example/",
        "email" => "name@rta.example",
        "password" => "correct horse battery staple",
        "ip" | "ipv4" => "192.0.2.7",
        _ => "text",
    };
    let least = schema["minLength"].as_u64().unwrap_or(0);
    let least = usize::try_from(least).unwrap_or(0).min(1024);
    format!("{text:x<least$}")
}

fn number(schema: &Value) -> i64 {
    let bound = |name: &str| schema[name].as_i64();
    let most = bound("maximum").unwrap_or(i64::MAX);
    bound("minimum").unwrap_or(1).max(1).min(most)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::super::document;
    use super::*;

    /// Every operation as `GET /path`, and what the document says of it.
    fn documented(document: &Value) -> Vec<(String, Value)> {
        let paths = document["paths"].as_object().unwrap().iter();
        let operations = paths.flat_map(|(path, item)| {
            let item = item.as_object().unwrap().iter();
            item.map(move |(method, operation)| {
                (
                    format!("{} {path}", method.to_uppercase()),
                    operation.clone(),
                )
            })
        });
        operations.collect()
    }

    /// What is wrong with the examples of one content.
    fn faults(document: &Value, content: &Value) -> Vec<String> {
        let mut given: Vec<_> = content.get("example").into_iter().collect();
        let several = content["examples"].as_object();
        given.extend(several.into_iter().flatten().map(|(_, it)| &it["value"]));
        if given.is_empty() {
            return vec!["no example".to_owned()];
        }
        let mut schema = json!({ "components": document["components"] });
        schema["allOf"] = json!([content["schema"]]);
        let validator = jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap();
        let errors = given.iter().flat_map(|it| validator.iter_errors(it));
        errors
            .map(|error| format!("{} at {}", error, error.instance_path()))
            .collect()
    }

    #[test]
    fn every_operation_has_examples_that_its_schemas_allow() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        let mut report = String::new();
        for (name, operation) in documented(&document) {
            let responses = operation["responses"].as_object().unwrap();
            let good = responses
                .iter()
                .filter(|(status, _)| status.starts_with('2'));
            let body = operation.get("requestBody");
            let answers = good.map(|(_, response)| response).chain(body);
            for (kind, content) in answers.flat_map(|it| it["content"].as_object()).flatten() {
                // Footage has no example in a document of text.
                // and exports have as many shapes as entries.
                if ["video/", "text/csv", "application/x-ndjson"]
                    .iter()
                    .any(|it| kind.starts_with(it))
                {
                    continue;
                }
                for fault in faults(&document, content) {
                    writeln!(report, "{name} {kind}: {fault}").unwrap();
                }
            }
        }
        for (name, response) in document["components"]["responses"].as_object().unwrap() {
            for fault in faults(&document, &response["content"]["application/json"]) {
                writeln!(report, "{name}: {fault}").unwrap();
            }
        }
        assert!(report.is_empty(), "\n{report}");
    }

    fn is_bounded(schema: &Value) -> bool {
        let has = |key: &str| schema.get(key).is_some();
        match kind(schema) {
            "boolean" => true,
            "integer" | "number" => has("minimum") && has("maximum"),
            "array" => has("maxItems") && is_bounded(&schema["items"]),
            "string" => ["maxLength", "format", "enum", "pattern"]
                .into_iter()
                .any(has),
            _ => has("$ref"),
        }
    }

    #[test]
    fn every_operation_is_described_and_every_parameter_bounded() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        let tags = document["tags"].as_array().unwrap();
        let mut report = String::new();
        for (name, operation) in documented(&document) {
            let is_tag = |tag: &Value| tags.iter().any(|known| known["name"] == *tag);
            if operation["summary"].as_str().is_none_or(str::is_empty)
                || !operation["tags"].as_array().unwrap().iter().all(is_tag)
            {
                writeln!(report, "{name}: needs a summary and a known tag").unwrap();
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let what = format!("{name} {}", parameter["name"]);
                if parameter["description"].as_str().is_none_or(str::is_empty) {
                    writeln!(report, "{what}: needs a description").unwrap();
                }
                if !is_bounded(&parameter["schema"]) {
                    writeln!(report, "{what}: needs bounds").unwrap();
                }
            }
        }
        assert!(report.is_empty(), "\n{report}");
    }

    #[test]
    fn samples_are_what_their_schemas_allow() {
        let components = json!({ "schemas": { "Name": { "type": "string", "example": "Depot" } } });
        let schema = json!({ "type": "object", "properties": {
            "name": { "$ref": "#/components/schemas/Name" },
            "maybe": { "oneOf": [{ "type": "null" }, { "type": ["null", "integer"], "minimum": 5 }] },
            "list": { "type": "array", "items": { "type": "string", "minLength": 6 } },
            "one": { "type": "string", "enum": ["a", "b"] },
        }});
        let expected = json!({ "name": "Depot", "maybe": 5, "list": ["textxx"], "one": "a" });
        assert_eq!(sample(&schema, &components, DEPTH), expected);
    }
}
