//! Which schemas a server can force a model to keep to.
//!
//! "Structured outputs" of OpenAI's API and of those that follow it compile a schema into a grammar. They
//! take a part of JSON Schema: objects name all of their properties as required and permit no others, and
//! only some keywords are known. A tool that is declared strict with another schema costs the whole request,
//! so whatever is not known to be taken is taken for refused.

use serde_json::{Map, Value};

/// Levels of objects and lists within each other that are taken everywhere.
const LEVELS_MAX: usize = 5;
/// Properties of all objects together that are taken everywhere.
const PROPERTIES_MAX: usize = 100;
/// Keywords without schemas in them.
const PLAIN: [&str; 14] = [
    "type",
    "description",
    "title",
    "enum",
    "const",
    "required",
    "additionalProperties",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "multipleOf",
    "minItems",
    "maxItems",
];

/// Whether a tool with these parameters can be declared strict.
///
/// The root is an object without alternatives. Every object names all of its properties as required and
/// permits no others; every list says what is in it; references stay within the schema. At most 100
/// properties, and 5 levels of objects and lists.
pub fn can_be_strict(schema: &Value) -> bool {
    let mut properties = 0;
    let is_object = schema["type"] == "object" && schema.get("anyOf").is_none();
    is_object && is_strict(schema, LEVELS_MAX, &mut properties) && properties <= PROPERTIES_MAX
}

fn is_strict(schema: &Value, levels: usize, properties: &mut usize) -> bool {
    let Some(schema) = schema.as_object() else { return false };
    let is_known = |(key, value): (&String, &Value)| match (key.as_str(), value) {
        ("properties" | "$defs" | "definitions", Value::Object(inner)) => {
            levels > 0 && inner.values().all(|inner| is_strict(inner, levels - 1, properties))
        }
        ("items", inner) => levels > 0 && is_strict(inner, levels - 1, properties),
        ("anyOf", Value::Array(inner)) => {
            !inner.is_empty() && inner.iter().all(|inner| is_strict(inner, levels, properties))
        }
        ("$ref", Value::String(place)) => place.starts_with('#'),
        (key, _) => PLAIN.contains(&key),
    };
    if !says_what(schema) || !schema.iter().all(is_known) {
        return false;
    }
    *properties += schema.get("properties").and_then(Value::as_object).map_or(0, Map::len);
    (!is_of("object", schema) || is_closed(schema))
        && (!is_of("array", schema) || schema.contains_key("items"))
}

/// A schema that permits anything is not taken.
fn says_what(schema: &Map<String, Value>) -> bool {
    ["type", "enum", "const", "anyOf", "$ref"].iter().any(|key| schema.contains_key(*key))
}

fn is_of(kind: &str, schema: &Map<String, Value>) -> bool {
    match schema.get("type") {
        Some(Value::String(found)) => found == kind,
        Some(Value::Array(kinds)) => kinds.iter().any(|found| found == kind),
        _ => false,
    }
}

/// All properties are required, and no others are permitted.
fn is_closed(schema: &Map<String, Value>) -> bool {
    let Some(Value::Object(properties)) = schema.get("properties") else { return false };
    let none = Vec::new();
    let required = schema.get("required").and_then(Value::as_array).unwrap_or(&none);
    let is_required = |name: &String| required.iter().any(|required| required == name.as_str());
    schema.get("additionalProperties") == Some(&Value::Bool(false))
        && properties.keys().all(is_required)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(properties: Value, required: Value) -> Value {
        json!({
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }

    #[test]
    fn what_names_all_and_permits_no_more_can_be_strict() {
        let city = json!({ "type": "string", "description": "Where.", "pattern": "^[A-Z]" });
        let rows = [
            object(json!({}), json!([])),
            object(json!({ "city": city }), json!(["city"])),
            object(json!({ "day": { "type": ["string", "null"] } }), json!(["day"])),
            object(json!({ "kind": { "enum": ["a", "b"] } }), json!(["kind"])),
            object(
                json!({ "list": { "type": "array", "items": { "$ref": "#/$defs/x" } } }),
                json!(["list"]),
            ),
            object(
                json!({ "either": { "anyOf": [{ "type": "integer" }, { "type": "null" }] } }),
                json!(["either"]),
            ),
            object(json!({ "in": object(json!({ "a": city }), json!(["a"])) }), json!(["in"])),
        ];
        for schema in rows {
            assert!(can_be_strict(&schema), "{schema}");
        }
    }

    #[test]
    fn whatever_else_a_schema_says_cannot() {
        let a = json!({ "type": "string" });
        let with = |key: &str, value: Value| {
            let mut schema = object(json!({ "a": a }), json!(["a"]));
            schema[key] = value;
            schema
        };
        let of = |inner: Value| object(json!({ "a": inner }), json!(["a"]));
        let deep = (0..6).fold(a.clone(), |inner, _| of(inner));
        let wide: Map<String, Value> = (0..101).map(|n| (format!("p{n}"), a.clone())).collect();
        let names: Vec<String> = wide.keys().cloned().collect();
        let rows = [
            json!({ "type": "object" }),
            json!({ "type": "object", "properties": { "a": a } }),
            json!(true),
            with("required", json!([])),
            with("additionalProperties", json!(true)),
            with("additionalProperties", json!({ "type": "string" })),
            with("patternProperties", json!({})),
            with("allOf", json!([])),
            with("anyOf", json!([{ "type": "object" }])),
            with("if", json!({})),
            of(json!({})),
            of(json!(true)),
            of(json!({ "type": "string", "minLength": 1 })),
            of(json!({ "type": "array" })),
            of(json!({ "type": "array", "items": {} })),
            of(json!({ "type": "object" })),
            of(json!({ "oneOf": [{ "type": "string" }] })),
            of(json!({ "$ref": "https://example.com/x" })),
            of(json!({ "type": ["object", "null"], "properties": { "b": a } })),
            deep,
            object(Value::Object(wide), json!(names)),
        ];
        for schema in rows {
            assert!(!can_be_strict(&schema), "{schema}");
        }
    }
}
