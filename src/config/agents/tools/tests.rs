use serde_json::json;

use super::*;
use crate::config::Config;

/// The tools of an agent whose list of them is this YAML.
fn tools(list: &str) -> Result<Arc<Toolbox>, Vec<String>> {
    let text = format!("agents:\n  a:\n    backend: echo\n    tools: {list}\n");
    let environment = Environment::of(&[("HOOK_SECRET", "s3cret"), ("CRM_TOKEN", "t0ken")]);
    let config = Config::parse(&text, None, &environment)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    Ok(config.agents["a"].tools.clone())
}

fn one(tool: &str) -> ToolSpec {
    let toolbox = tools(&format!("[{{name: a, description: b, {tool}}}]")).expect(tool);
    toolbox.specs().next().expect("there is one").clone()
}

#[test]
fn a_tool_is_what_the_file_says() {
    let toolbox = tools(
        "
      - name: book table
        description: Books.
        parameters:
          type: object
          properties:
            guests: {type: integer, minimum: 1}
            day: {type: [string, 'null'], default: 12:30, examples: ['1', yes, ~, 1e2]}
          required: [guests]
          additionalProperties: false
        webhook: {url: 'https://example.com/hook', secret_env: HOOK_SECRET}
        timeout_ms: 5000
        idempotent: true
        confirm: Book for {guests}?
        filler: {after_ms: 2000, text: One moment.}
      - {name: where, description: Where., client: true}",
    )
    .expect("it is right");
    let booking = ToolSpec {
        parameters: json!({
            "type": "object",
            "properties": {
                "guests": { "type": "integer", "minimum": 1 },
                "day": {
                    "type": ["string", "null"],
                    "default": "12:30",
                    "examples": ["1", "yes", null, 1e2],
                },
            },
            "required": ["guests"],
            "additionalProperties": false,
        }),
        timeout: Duration::from_secs(5),
        idempotent: true,
        confirm: Some(Confirm {
            question: Some("Book for {guests}?".to_owned()),
            ..Confirm::default()
        }),
        filler: Some(Filler { after: Duration::from_secs(2), text: "One moment.".to_owned() }),
        ..ToolSpec::new(
            "book table",
            "Books.",
            Executor::Server(Job::Webhook(WebhookSettings {
                url: "https://example.com/hook".to_owned(),
                secret: Some(Secret::new("s3cret".to_owned())),
            })),
        )
    };
    let asking = ToolSpec::new("where", "Where.", Executor::Client);
    assert_eq!(toolbox.specs().collect::<Vec<_>>(), [&booking, &asking]);
    assert!(!format!("{toolbox:?}").contains("s3cret"));
    assert!(tools("[]").expect("none is right too").is_empty());
}

#[test]
fn built_in_tools_are_named() {
    let rows = [
        ("echo", Builtin::Echo),
        ("fail", Builtin::Fail),
        ("wait_500", Builtin::Wait(Duration::from_millis(500))),
    ];
    for (name, builtin) in rows {
        let spec = one(&format!("builtin: {name}"));
        assert_eq!(spec, ToolSpec::new("a", "b", Executor::Server(Job::Builtin(builtin))));
    }
}

#[test]
fn confirmation_is_asked_for_in_four_ways() {
    let standard = Confirm::default();
    let of = |confirm: &str| one(&format!("client: true, confirm: {confirm}")).confirm;
    assert_eq!(of("false"), None);
    assert_eq!(of("~"), None);
    assert_eq!(of("true"), Some(standard.clone()));
    assert_eq!(of("{yes: [ja]}"), Some(Confirm { yes: vec!["ja".to_owned()], ..standard.clone() }));
    let question = Some("Sure?".to_owned());
    assert_eq!(of("Sure?"), Some(Confirm { question: question.clone(), ..standard }));
    let own = Confirm { question, yes: vec!["ja".to_owned()], no: Vec::new() };
    assert_eq!(of("{question: 'Sure?', yes: [ja], no: []}"), Some(own));
}

#[test]
fn mistakes_are_told_with_their_place_and_what_was_expected() {
    let rows = [
        ("", "tools[0].webhook: expected one of `webhook`, `client` and `builtin`, received none"),
        ("client: true, builtin: echo", "tools[0].builtin: expected one of"),
        ("client: false", "tools[0].client: expected true, or `webhook` or `builtin`"),
        ("client: ", "tools[0].client: is required"),
        ("webhook: ", "tools[0].webhook: is required"),
        ("webhook: {}", "tools[0].webhook.url: is required"),
        (
            "webhook: {url: example.com}",
            "webhook.url: expected http://HOST/... or https://HOST/...",
        ),
        ("webhook: {url: 'http://a', secret_env: NOT_SET}", "`NOT_SET` is not set"),
        ("webhook: {url: 'http://a', secret: x}", "webhook.secret: unknown key"),
        ("builtin: wait_120001", "expected `echo`, `fail` or `wait_0` to `wait_120000`"),
        ("builtin: wait_", "tools[0].builtin: expected `echo`"),
        ("client: true, timeout_ms: 99", "milliseconds from 100 to 120000"),
        ("client: true, parameters: {}", "tools[0].parameters: type: expected `object`"),
        ("client: true, parameters: [1]", "parameters: expected a JSON Schema, an object"),
        (
            "client: true, parameters: {type: object, properties: {a: {type: text}}}",
            "tools[0].parameters: expected a JSON Schema; properties/a/type",
        ),
        ("client: true, confirm: 'Book {it}?'", "tools[0].confirm: question: expected an argument"),
        ("client: true, confirm: [yes]", "tools[0].confirm: expected true, a question, or a map"),
        ("client: true, confirm: {yes: []}", "tools[0].confirm: yes: expected at least one phrase"),
        ("client: true, filler: {text: Hm.}", "tools[0].filler.after_ms: is required"),
        (
            "client: true, filler: {after_ms: 10000, text: Hm.}",
            "tools[0].filler: after_ms: expected less than timeout_ms (10000), received 10000",
        ),
        ("client: true, retries: 3", "tools[0].retries: unknown key"),
    ];
    for (tool, expected) in rows {
        let found = tools(&format!("[{{name: a, description: b, {tool}}}]")).expect_err(tool);
        assert_eq!(found.len(), 1, "{tool}: {found:#?}");
        assert!(found[0].contains(expected), "{:?} should contain {expected:?}", found[0]);
    }
    let found = tools("[{client: true}, {name: '', description: b, client: true}]");
    let found = found.expect_err("three things are missing");
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].contains("tools[0].name: is required"), "{found:#?}");
    assert!(found[2].contains("tools[1].name: expected 1 to 64 characters"), "{found:#?}");
    let twice = "\n      - {name: a, description: b, client: true}".repeat(2);
    let found = tools(&twice).expect_err("the name is taken");
    assert!(found[0].starts_with("line 6, ") && found[0].contains("of its own"), "{found:#?}");
    let many = "{name: a, description: b, client: true}, ".repeat(65);
    let found = tools(&format!("[{many}]")).expect_err("there are too many");
    assert!(found[0].contains("tools: expected at most 64 entries, received 65"), "{found:#?}");
}

#[test]
fn the_commented_example_is_right() {
    let example = include_str!("../../../../deploy/antiphon.example.yaml");
    let commented: Vec<&str> = example
        .lines()
        .skip_while(|line| *line != "    tools: []")
        .skip(1)
        .take_while(|line| line.starts_with("    # "))
        .filter_map(|line| line.strip_prefix("    #  "))
        .collect();
    let list = format!("\n{}", commented.join("\n").replace("BOOKING_SECRET", "HOOK_SECRET"));
    // The list stands at the margin; YAML wants it below its key.
    let toolbox = tools(&list.replace('\n', "\n      ")).expect("the example is right");
    assert_eq!(toolbox.specs().next().map(|spec| spec.name.as_str()), Some("book_table"));
}
