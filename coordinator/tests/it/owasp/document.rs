//! The operations of the document, with bodies that have every field it knows, and every text in them
//! in turn replaced.

use std::sync::LazyLock;

use reqwest::Method;
use serde_json::{Value, json};

/// Would end the session that asks, or make it somebody else's.
const ENDS_SESSION: [&str; 2] = ["sign_out", "set_own_password"];

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../openapi.json")).unwrap());

pub(super) struct Operation {
    pub(super) id: String,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) parameters: Vec<Value>,
    /// The schema of its body.
    pub(super) schema: Option<&'static Value>,
}

pub(super) fn operations() -> Vec<Operation> {
    let mut found = Vec::new();
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            let body = &operation["requestBody"]["content"]["application/json"];
            let parameters = operation["parameters"].as_array().cloned();
            if !ENDS_SESSION.contains(&id.as_str()) {
                found.push(Operation {
                    id,
                    method: method.to_uppercase().parse().unwrap(),
                    path: path.clone(),
                    parameters: parameters.unwrap_or_default(),
                    schema: body.get("schema").map(resolved),
                });
            }
        }
    }
    assert!(found.len() > 50, "{}", found.len());
    found
}

impl Operation {
    pub(super) fn has_path_parameter(&self) -> bool {
        self.path.contains('{')
    }

    /// The path with `text` in every place, percent-encoded.
    pub(super) fn path_with(&self, text: &str) -> String {
        let mut path = self.path.clone();
        while let Some((before, rest)) = path.split_once('{') {
            let (_, after) = rest.split_once('}').unwrap();
            path = format!("{before}{}{after}", encoded(text));
        }
        path
    }

    pub(super) fn query_parameters(&self) -> impl Iterator<Item = &str> {
        let query = self.parameters.iter().filter(|it| it["in"] == "query");
        query.map(|it| it["name"].as_str().unwrap())
    }

    /// Names of all fields of its body.
    pub(super) fn fields(&self) -> Vec<String> {
        let mut names = Vec::new();
        if let Some(schema) = self.schema {
            fields(schema, &mut names);
        }
        names
    }

    /// `body` with every field that it lacks and the schema has.
    pub(super) fn complete(&self, mut body: Value) -> Value {
        if let Some(schema) = self.schema {
            complete(&mut body, schema);
        }
        body
    }
}

pub(super) fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Where every text of a value stands.
pub(super) fn texts(value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    find_texts(value, String::new(), &mut found);
    found
}

fn find_texts(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::String(_) => found.push(at),
        Value::Array(items) => (items.iter().enumerate())
            .for_each(|(index, item)| find_texts(item, format!("{at}/{index}"), found)),
        Value::Object(fields) => (fields.iter())
            .for_each(|(name, field)| find_texts(field, format!("{at}/{name}"), found)),
        _ => {}
    }
}

/// Without references, and of alternatives the first that is something.
fn resolved(schema: &'static Value) -> &'static Value {
    if let Some(reference) = schema["$ref"].as_str() {
        let found = DOCUMENT.pointer(reference.trim_start_matches('#'));
        return resolved(found.unwrap_or_else(|| panic!("{reference} is not in the document")));
    }
    let alternatives = ["oneOf", "anyOf"].iter();
    let mut alternatives = alternatives.filter_map(|name| schema[*name].as_array());
    match alternatives.next() {
        Some(schemas) => {
            let something = schemas.iter().find(|schema| schema["type"] != "null");
            resolved(something.unwrap())
        }
        None => schema,
    }
}

fn fields(schema: &'static Value, names: &mut Vec<String>) {
    let schema = resolved(schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        names.push(name.clone());
        fields(field, names);
    }
    if schema["items"].is_object() {
        fields(&schema["items"], names);
    }
}

fn complete(value: &mut Value, schema: &'static Value) {
    let schema = resolved(schema);
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        if value.get(name).is_none_or(Value::is_null) {
            value[name] = sample(field);
        } else {
            complete(&mut value[name], field);
        }
    }
}

/// Something that a schema allows.
fn sample(schema: &'static Value) -> Value {
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    let schema = resolved(schema);
    if let Some(example) = schema.get("example") {
        return example.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[0].as_str(),
        kind => kind.as_str(),
    };
    match kind {
        Some("string") => match schema["enum"].as_array() {
            Some(values) => values[0].clone(),
            None => json!("text"),
        },
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(false),
        Some("array") => json!([sample(&schema["items"])]),
        Some("object") => {
            let mut made = json!({});
            complete(&mut made, schema);
            made
        }
        other => panic!("what is {other:?}? {schema}"),
    }
}
