//! The API explains itself: the reference of errors and the browsable page, without any other host.

use std::collections::BTreeSet;

use crate::world::World;

#[tokio::test]
async fn the_page_of_the_api_needs_nothing_from_elsewhere_and_nothing_inline() {
    let world = World::start().await;
    let browser = world.nobody();
    for address in ["/api/docs", "/api/docs/", "/api/docs/index.html"] {
        let page = browser.get(address).await;
        assert_eq!(page.status, 200, "{address}");
        assert!(page.header("content-type").starts_with("text/html"));
        let html = String::from_utf8(page.bytes.to_vec()).unwrap();
        let mut used = BTreeSet::new();
        for attribute in ["src=\"", "href=\""] {
            let values = html.split(attribute).skip(1);
            used.extend(values.filter_map(|rest| rest.split('"').next()));
        }
        assert!(used.len() >= 3, "{used:?}");
        for name in used {
            assert!(name.starts_with("./") || !name.contains("//"), "{name}");
            let name = name.trim_start_matches("./");
            let file = browser.get(&format!("/api/docs/{name}")).await;
            assert_eq!(file.status, 200, "{name}");
        }
        // The policy of all pages forbids them.
        for script in html.split("<script").skip(1) {
            let (head, rest) = script.split_once('>').unwrap();
            assert!(
                head.contains("src=") && rest.trim_start().starts_with("</script>"),
                "{script}"
            );
        }
        let policy = page.header("content-security-policy");
        assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"));
    }
    let start = browser.get("/api/docs/swagger-initializer.js").await;
    let start = String::from_utf8(start.bytes.to_vec()).unwrap();
    assert!(
        start.contains("/api/v1/openapi.json") && !start.contains("petstore"),
        "{start}"
    );
    for nothing in ["/api/docs/..%2f..%2fCargo.toml", "/api/docs/none.js"] {
        assert_eq!(browser.get(nothing).await.code(), "not_found", "{nothing}");
    }
}

#[tokio::test]
async fn every_error_there_is_can_be_looked_up() {
    let world = World::start().await;
    let answer = world.nobody().get("/api/v1/errors").await;
    let items = answer.body["items"].as_array().unwrap();
    assert!(items.len() > 20);
    let known = |code: &str| items.iter().find(|item| item["code"] == code);
    let refused = world.nobody().get("/api/v1/session").await;
    let listed = known(refused.code()).unwrap();
    assert_eq!(listed["status"], refused.status.as_u16());
    for language in ["message_en", "message_ar"] {
        assert_eq!(listed[language], refused.body["error"][language]);
    }
}
