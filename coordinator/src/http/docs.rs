//! The browsable page of the API at `/api/docs/`: Swagger UI over our own description. Its files are
//! part of this program, so it works where nothing else can be reached. The only importer of
//! `utoipa_swagger_ui`.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use utoipa_swagger_ui::{Config, serve};

use super::Api;
use super::error::{Code, Error};

const DESCRIPTION: &str = "/api/v1/openapi.json";

pub(super) fn router() -> Router<Arc<Api>> {
    Router::new()
        .route(
            "/api/docs",
            get(|| async { Redirect::permanent("/api/docs/") }),
        )
        .route("/api/docs/", get(|| async { file("") }))
        .route(
            "/api/docs/{file}",
            get(|Path(name): Path<String>| async move { file(&name) }),
        )
}

fn file(name: &str) -> Response {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
        let config = Config::from(DESCRIPTION)
            // Nobody outside is asked whether the description is right.
            .validator_url("none")
            // Without a bar to look at other descriptions with.
            .use_base_layout()
            .display_request_duration(true);
        Arc::new(config)
    });
    match serve(name, CONFIG.clone()) {
        Ok(Some(file)) => {
            let headers = [
                (CONTENT_TYPE, file.content_type),
                // They change with the program only.
                (CACHE_CONTROL, "max-age=3600".to_owned()),
            ];
            (headers, file.bytes.into_owned()).into_response()
        }
        Ok(None) => Error::new(Code::NotFound).into_response(),
        Err(error) => {
            tracing::error!(error = %error, file = name, "a file of the API's page cannot be served");
            Error::new(Code::Internal).into_response()
        }
    }
}
