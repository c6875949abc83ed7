use std::time::Duration;

use crate::config::{Config, Environment};
use crate::tools::mcp::{McpReach, McpSettings, Which};
use crate::tools::{Filler, Secret};

fn servers(list: &str) -> Result<Vec<McpSettings>, Vec<String>> {
    let text = format!("agents:\n  a:\n    backend: echo\n    tools: {list}\n");
    let environment = Environment::of(&[("CRM_TOKEN", "s3cret")]);
    let config = Config::parse(&text, None, &environment)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    assert_eq!(config.agents["a"].tools.len(), 1, "its own are apart");
    Ok(config.agents["a"].tool_servers.clone())
}

#[test]
fn a_server_is_what_the_file_says() {
    let found = servers(
        "
      - {name: where, description: Where., client: true}
      - mcp: http://127.0.0.1:9000/mcp
        name: crm
        bearer_env: CRM_TOKEN
        only: [find_order, drop_order]
        confirm: [drop_order]
        idempotent: true
        filler: {after_ms: 2000, text: One moment.}
        timeout_ms: 5000
        start_timeout_ms: 3000
      - mcp: [uvx, some-server, --quiet]
        name: files
        confirm: true
        only: false",
    )
    .expect("it is right");
    let url = "http://127.0.0.1:9000/mcp".to_owned();
    let bearer = Some(Secret::new("s3cret".to_owned()));
    let crm = McpSettings {
        only: Which::These(vec!["find_order".to_owned(), "drop_order".to_owned()]),
        confirm: Which::These(vec!["drop_order".to_owned()]),
        idempotent: Which::All,
        filler: Some(Filler { after: Duration::from_secs(2), text: "One moment.".to_owned() }),
        timeout: Duration::from_secs(5),
        start_timeout: Duration::from_secs(3),
        ..McpSettings::new("crm".to_owned(), McpReach::Http { url, bearer })
    };
    let command = ["uvx", "some-server", "--quiet"].map(str::to_owned).to_vec();
    let files = McpSettings {
        only: Which::NONE,
        confirm: Which::All,
        ..McpSettings::new("files".to_owned(), McpReach::Process(command))
    };
    assert_eq!(found, [crm, files]);
}

#[test]
fn mistakes_are_told_where_they_are() {
    let rows = [
        ("{mcp: 'ftp://x', name: a}", "tools[0].mcp: expected http://HOST/"),
        ("{mcp: 'http://me:pw@x/', name: a}", "use bearer_env"),
        ("{mcp: 'http://x/'}", "name: is required"),
        ("{mcp: 'http://x/', name: ''}", "name: "),
        (
            "{mcp: 'http://x/', name: a, bearer_env: NONE}",
            "the environment variable `NONE` is not set",
        ),
        ("{mcp: [], name: a}", "tools[0].mcp: expected an address, or a program"),
        ("{mcp: [x], name: a, bearer_env: CRM_TOKEN}", "a process has no such key"),
        ("{mcp: 'http://x/', name: a, description: b}", "description"),
        ("{mcp: 'http://x/', name: a, start_timeout_ms: 0}", "tools[0].start_timeout_ms"),
        ("{mcp: 'http://x/', name: a, only: x}", "tools[0].only"),
    ];
    for (entry, expected) in rows {
        let errors = servers(&format!("[{entry}]")).expect_err(expected).join("\n");
        assert!(errors.contains(expected), "{entry}: {errors}");
    }
    let twice = "[{mcp: 'http://x/', name: a}, {mcp: 'http://y/', name: a}]";
    let errors = servers(twice).expect_err("one name").join("\n");
    assert!(errors.contains("tools[1].name: expected a name of its own"), "{errors}");
}
