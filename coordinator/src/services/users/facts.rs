//! What the audit tells of changes to the directory.

use serde_json::{Value, json};

use crate::domain::user::User;

/// What the audit tells of a person.
pub(super) fn facts(user: &User) -> Value {
    json!({
        "login": user.login.as_str(),
        "display_name": user.display_name,
        "arabic_name": user.arabic_name,
        "email": user.email,
        "employee_number": user.employee_number,
        "agency": user.agency,
        "department": user.department,
        "section": user.section,
        "roles": user.roles,
        "permissions": user.rules,
    })
}

/// The fields that differ, each with what it was and what it is.
pub(super) fn difference(before: Value, after: Value) -> Value {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return Value::Null;
    };
    let changed = after.into_iter().filter_map(|(key, is)| {
        let was = before.get(&key).cloned().unwrap_or_default();
        (was != is).then(|| (key, json!({ "from": was, "to": is })))
    });
    Value::Object(changed.collect())
}
