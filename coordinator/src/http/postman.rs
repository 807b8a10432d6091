//! The API as a Postman collection (format 2.1), made from the OpenAPI document: a folder for each
//! tag, a request for each operation with the examples of the document filled in.

use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::error::Open;
use super::openapi;
use super::openapi::examples::sample;

/// Names the format, not an address to fetch from.
const FORMAT: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// The collection as text.
pub fn collection() -> String {
    let document = serde_json::from_str(&openapi::document()).unwrap_or_default();
    let mut text = serde_json::to_string_pretty(&collect(&document)).unwrap_or_default();
    text.push('\n');
    text
}

/// The API as a Postman collection
///
/// Format 2.1. Its variable `base_url` is the coordinator's address; sign in first, the session
/// stays in the cookies.
#[utoipa::path(get, path = "/api/v1/postman.json", operation_id = "get_postman", tag = "operation", security(()),
    responses((status = 200, description = "The collection.", content_type = "application/json", body = serde_json::Value,
        example = json!({ "info": { "name": "RTA CCTV coordinator" } })), Open))]
pub async fn get_postman() -> impl IntoResponse {
    static COLLECTION: LazyLock<String> = LazyLock::new(collection);
    ([(CONTENT_TYPE, "application/json")], COLLECTION.as_str())
}

fn collect(document: &Value) -> Value {
    let folders = document["tags"].as_array().into_iter().flatten();
    let folders = folders.map(|tag| {
        json!({
            "name": tag["name"],
            "description": tag["description"],
            "item": requests(document, &tag["name"]),
        })
    });
    json!({
        "info": {
            "name": document["info"]["title"],
            "description": document["info"]["description"],
            "schema": FORMAT,
        },
        "variable": [{ "key": "base_url", "value": "http://127.0.0.1:8080", "type": "string" }],
        "item": folders.collect::<Vec<_>>(),
    })
}

fn requests(document: &Value, tag: &Value) -> Vec<Value> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let operations = paths.flat_map(|(path, item)| {
        let known = METHODS
            .iter()
            .filter_map(|method| Some((*method, item.get(method)?)));
        known.map(move |(method, operation)| (path, method, operation))
    });
    let tagged = operations.filter(|(_, _, operation)| operation["tags"][0] == *tag);
    tagged
        .map(|(path, method, operation)| {
            json!({
                "name": operation["summary"],
                "request": request(document, path, method, operation),
                "response": [],
            })
        })
        .collect()
}

fn request(document: &Value, path: &str, method: &str, operation: &Value) -> Value {
    let mut headers = parameters(document, operation, "header");
    if method != "get" {
        // A program is not another site's page.
        headers.push(json!({ "key": "X-Requested-With", "value": "cctv" }));
    }
    let mut request = json!({
        "method": method.to_uppercase(),
        "description": operation["description"].as_str().unwrap_or_default(),
        "url": url(document, path, operation),
    });
    let body = &operation["requestBody"]["content"]["application/json"];
    if let Some(example) = example(body) {
        headers.push(json!({ "key": "Content-Type", "value": "application/json" }));
        request["body"] = json!({
            "mode": "raw",
            "raw": serde_json::to_string_pretty(example).unwrap_or_default(),
            "options": { "raw": { "language": "json" } },
        });
    }
    request["header"] = headers.into();
    request
}

fn example(content: &Value) -> Option<&Value> {
    let several = || {
        content["examples"]
            .as_object()?
            .values()
            .next()?
            .get("value")
    };
    content.get("example").or_else(several)
}

fn url(document: &Value, path: &str, operation: &Value) -> Value {
    let parts: Vec<_> = path
        .trim_start_matches('/')
        .split('/')
        .map(|part| {
            let name = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'));
            name.map_or_else(|| part.to_owned(), |name| format!(":{name}"))
        })
        .collect();
    json!({
        "raw": format!("{{{{base_url}}}}/{}", parts.join("/")),
        "host": ["{{base_url}}"],
        "path": parts,
        "query": parameters(document, operation, "query"),
        "variable": parameters(document, operation, "path"),
    })
}

/// Those in this place, switched off where they are not required.
fn parameters(document: &Value, operation: &Value, place: &str) -> Vec<Value> {
    let all = operation["parameters"].as_array().into_iter().flatten();
    let wanted = all.filter(|parameter| parameter["in"] == place);
    wanted
        .map(|parameter| {
            let value = parameter.get("example").cloned();
            let value =
                value.unwrap_or_else(|| sample(&parameter["schema"], &document["components"], 16));
            let value = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let mut entry = json!({
                "key": parameter["name"],
                "value": value,
                "description": parameter["description"],
            });
            if parameter["required"] != true {
                entry["disabled"] = true.into();
            }
            entry
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// What the published schema of the format requires of the parts that we use.
    fn format() -> Value {
        let pair = json!({
            "type": "object",
            "required": ["key", "value"],
            "properties": {
                "key": { "type": "string", "minLength": 1 },
                "value": { "type": "string" },
                "description": { "type": ["string", "null"] },
                "disabled": { "type": "boolean" },
            },
        });
        let pairs = json!({ "type": "array", "items": pair });
        json!({
            "type": "object",
            "required": ["info", "item"],
            "properties": {
                "info": {
                    "type": "object",
                    "required": ["name", "schema"],
                    "properties": { "schema": { "const": FORMAT } },
                },
                "variable": { "type": "array", "items": { "required": ["key", "value"] } },
                "item": { "type": "array", "minItems": 1, "items": {
                    "type": "object",
                    "required": ["name", "item"],
                    "properties": { "item": { "type": "array", "items": {
                        "type": "object",
                        "required": ["name", "request", "response"],
                        "properties": {
                            "name": { "type": "string", "minLength": 1 },
                            "request": {
                                "type": "object",
                                "required": ["method", "header", "url"],
                                "properties": {
                                    "method": { "enum": ["GET", "POST", "PUT", "PATCH", "DELETE"] },
                                    "header": pairs,
                                    "body": { "required": ["mode", "raw"], "properties": {
                                        "mode": { "const": "raw" },
                                        "raw": { "type": "string" },
                                    } },
                                    "url": {
                                        "required": ["raw", "host", "path"],
                                        "properties": {
                                            "raw": { "type": "string" },
                                            "host": { "type": "array", "items": { "type": "string" } },
                                            "path": { "type": "array", "items": { "type": "string" } },
                                            "query": pairs,
                                            "variable": pairs,
                                        },
                                    },
                                },
                            },
                        },
                    } } },
                } },
            },
        })
    }

    #[test]
    fn the_collection_is_of_the_format_and_has_every_operation() {
        let document: Value = serde_json::from_str(&openapi::document()).unwrap();
        let collection: Value = serde_json::from_str(&collection()).unwrap();
        let validator = jsonschema::validator_for(&format()).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&collection)
            .map(|it| it.to_string())
            .collect();
        assert!(errors.is_empty(), "{errors:?}");

        let folders = collection["item"].as_array().unwrap().iter();
        let requests = folders.flat_map(|folder| folder["item"].as_array().unwrap());
        let collected: BTreeSet<_> = requests
            .map(|item| {
                let path = item["request"]["url"]["path"].as_array().unwrap().iter();
                let path = path.map(|part| part.as_str().unwrap().replace(':', ""));
                let method = item["request"]["method"].as_str().unwrap();
                format!("{method} /{}", path.collect::<Vec<_>>().join("/"))
            })
            .collect();
        let paths = document["paths"].as_object().unwrap().iter();
        let documented: BTreeSet<_> = paths
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().keys();
                methods.map(move |method| {
                    let path = path.replace(['{', '}'], "");
                    format!("{} {path}", method.to_uppercase())
                })
            })
            .collect();
        assert_eq!(collected, documented);
    }

    #[test]
    fn requests_are_ready_to_send() {
        let collection: Value = serde_json::from_str(&collection()).unwrap();
        let folders = collection["item"].as_array().unwrap().iter();
        for item in folders.flat_map(|folder| folder["item"].as_array().unwrap()) {
            let request = &item["request"];
            if let Some(body) = request["body"]["raw"].as_str() {
                assert!(serde_json::from_str::<Value>(body).is_ok(), "{body}");
            }
            let variables = request["url"]["variable"].as_array().unwrap();
            assert!(
                variables
                    .iter()
                    .all(|it| !it["value"].as_str().unwrap().is_empty())
            );
        }
    }
}
