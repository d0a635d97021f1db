//! The calls it answers, each as the reference describes it.

use data_encoding::HEXLOWER;
use hmac::{Hmac, Mac as _};
use http::{Method, request::Parts};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{
    Fault, Inner, Plays, State, Taken,
    graph::{Answer, Refusal, bad_token, invalid},
    rules,
};

impl Inner {
    /// The HMAC of the token under the app's secret.
    pub(crate) fn proof(&self) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(self.settings.app_secret.as_bytes()).unwrap();
        let mac = mac.chain_update(self.settings.token.as_bytes());
        HEXLOWER.encode(&mac.finalize().into_bytes())
    }
}

/// None: the connection is cut instead.
pub(super) fn answer(inner: &Inner, head: &Parts, body: &[u8]) -> Option<Answer> {
    let mut state = inner.state();
    state.numbers += 1;
    let number = state.numbers;
    let path = head.uri.path().trim_start_matches('/').to_owned();
    let (version, path) = path.split_once('/').unwrap_or(("", &path));
    let call = Call { inner, head, body, path };
    if !version.starts_with('v') {
        return Some(invalid("Unknown version").answer(number));
    }
    match call.done(&mut state) {
        Done::Answered(answer) => Some(call.usage(&state, answer)),
        Done::Refused(refusal) => Some(call.usage(&state, refusal.answer(number))),
        Done::Cut => None,
    }
}

enum Done {
    Answered(Answer),
    Refused(Refusal),
    Cut,
}

impl From<Result<Value, Refusal>> for Done {
    fn from(result: Result<Value, Refusal>) -> Self {
        match result {
            Ok(body) => Done::Answered(Answer::ok(body)),
            Err(refusal) => Done::Refused(refusal),
        }
    }
}

struct Call<'a> {
    inner: &'a Inner,
    head: &'a Parts,
    body: &'a [u8],
    path: &'a str,
}

impl Call<'_> {
    fn done(&self, state: &mut State) -> Done {
        let settings = &self.inner.settings;
        let json = || serde_json::from_slice::<Value>(self.body).unwrap_or_default();
        if self.path == "debug_token" || self.path == format!("{}/subscriptions", settings.app_id) {
            return self.of_app(state).into();
        }
        if let Err(refusal) = self.authorized(state) {
            return Done::Refused(refusal);
        }
        let own = ["me", &settings.page].map(|own| self.path.strip_prefix(own));
        let rest = own.into_iter().flatten().next().map(|rest| rest.trim_start_matches('/'));
        if rest != Some("messages") {
            state.calls.push((self.path.to_owned(), json()));
        }
        match (&self.head.method, rest) {
            (&Method::POST, Some("messages")) => self.send(state, json()),
            (&Method::POST, Some("message_attachments" | "media")) => self.upload(state).into(),
            (&Method::POST, Some("personas")) => persona(state, &json()).into(),
            (&Method::GET, Some("personas")) => {
                let each = state.personas.iter();
                let data: Vec<_> = each
                    .map(|(id, (name, url))| json!({ "id": id, "name": name, "profile_picture_url": url }))
                    .collect();
                Ok(json!({ "data": data })).into()
            }
            (method, Some("subscribed_apps")) => self.subscribed_apps(state, method).into(),
            (&Method::GET, Some("")) => Ok(json!({ "id": settings.page, "name": "A Page" })).into(),
            (&Method::GET, None) if state.personas.contains_key(self.path) => {
                let (name, url) = &state.personas[self.path];
                Ok(json!({ "id": self.path, "name": name, "profile_picture_url": url })).into()
            }
            (&Method::DELETE, None) if state.personas.remove(self.path).is_some() => {
                Ok(json!({ "success": true })).into()
            }
            _ => Done::Refused(invalid("Unsupported request")),
        }
    }

    fn query(&self, name: &str) -> Option<String> {
        let query = self.head.uri.query().unwrap_or_default();
        let mut pairs = form_urlencoded::parse(query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn authorized(&self, state: &State) -> Result<(), Refusal> {
        let settings = &self.inner.settings;
        let bearer = self.head.headers.get("authorization").and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer ")).map(str::to_owned);
        let Some(token) = self.query("access_token").or(bearer) else {
            return Err(Refusal::new(
                400,
                104,
                None,
                "An access token is required to request this resource.",
            ));
        };
        if token != settings.token || state.revoked {
            return Err(bad_token("Error validating access token: Session has expired"));
        }
        let expected = self.inner.proof();
        match self.query("appsecret_proof") {
            Some(proof) if proof == expected => Ok(()),
            Some(_) => Err(invalid("Invalid appsecret_proof provided in the API argument")),
            None if settings.wants_proof => {
                Err(invalid("API calls from the server require an appsecret_proof"))
            }
            None => Ok(()),
        }
    }

    fn send(&self, state: &mut State, body: Value) -> Done {
        if body.is_null() {
            return Done::Refused(invalid("The body is no JSON"));
        }
        if body["sender_action"].is_string() {
            state.calls.push(("sender_action".to_owned(), body.clone()));
            let checked = rules::check(self.inner, state, &body);
            return checked.map(|()| json!({ "recipient_id": body["recipient"]["id"] })).into();
        }
        if body["status"] == "read" {
            state.calls.push(("sender_action".to_owned(), body));
            return Ok(json!({ "success": true })).into();
        }
        let count = state.sends;
        state.sends += 1;
        let fault = state.script.as_mut().and_then(|script| script(count, &body));
        match fault {
            Some(Fault::Refused(refusal)) => return Done::Refused(refusal),
            Some(Fault::CutBefore) => return Done::Cut,
            Some(Fault::Gateway(status)) => {
                let body = Value::String("the proxy says so".into());
                return Done::Answered(Answer { status, body, headers: Vec::new() });
            }
            Some(Fault::CutAfter) | None => {}
        }
        if let Err(refusal) = rules::check(self.inner, state, &body) {
            return Done::Refused(refusal);
        }
        let taken = self.take(state, body);
        if matches!(fault, Some(Fault::CutAfter)) {
            return Done::Cut;
        }
        Ok(match self.inner.settings.plays {
            Plays::Whatsapp => json!({
                "messaging_product": "whatsapp",
                "contacts": [{ "input": taken.to, "wa_id": taken.to }],
                "messages": [{ "id": taken.id }],
            }),
            _ => json!({ "recipient_id": taken.to, "message_id": taken.id }),
        })
        .into()
    }

    fn take(&self, state: &mut State, body: Value) -> Taken {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let whatsapp = self.inner.settings.plays == Plays::Whatsapp;
        let to = if whatsapp { &body["to"] } else { &body["recipient"]["id"] };
        let taken = Taken {
            id: format!("{}{}", if whatsapp { "wamid." } else { "m_" }, state.taken.len() + 1),
            to: text(to).unwrap_or_default(),
            metadata: text(&body["message"]["metadata"]).or(text(&body["biz_opaque_callback_data"])),
            text: text(&body["message"]["text"]).or(text(&body["text"]["body"])),
            tag: text(&body["tag"]),
            at: self.inner.now(),
            body,
        };
        state.taken.push(taken.clone());
        super::webhooks::of_taken(self.inner, state, &taken);
        taken
    }

    fn upload(&self, state: &mut State) -> Result<Value, Refusal> {
        let kind = self.head.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
        let id = format!("{}", 9_000 + state.uploads.len());
        let what = if kind.starts_with("multipart/form-data") {
            let text = String::from_utf8_lossy(self.body);
            let part = if self.path.ends_with("media") { "name=\"file\"" } else { "name=\"filedata\"" };
            if !text.contains(part) {
                return Err(invalid(&format!("A part {part} is missing")));
            }
            format!("{} bytes", self.body.len())
        } else {
            let body: Value =
                serde_json::from_slice(self.body).map_err(|_| invalid("The body is no JSON"))?;
            let url = body["message"]["attachment"]["payload"]["url"].as_str();
            url.ok_or_else(|| invalid("An attachment needs a url"))?.to_owned()
        };
        state.uploads.insert(id.clone(), what);
        let name = if self.path.ends_with("media") { "id" } else { "attachment_id" };
        Ok(json!({ name: id }))
    }

    fn subscribed_apps(&self, state: &mut State, method: &Method) -> Result<Value, Refusal> {
        let settings = &self.inner.settings;
        match *method {
            Method::GET if !state.subscribed => Ok(json!({ "data": [] })),
            Method::GET if settings.plays == Plays::Whatsapp => {
                let app =
                    json!({ "id": settings.app_id, "name": "app", "link": "https://app.example.test/" });
                Ok(json!({ "data": [{ "whatsapp_business_api_data": app }] }))
            }
            Method::GET => Ok(json!({ "data": [{
                "id": settings.app_id, "name": "app", "link": "https://app.example.test/",
                "subscribed_fields": state.fields,
            }] })),
            Method::POST => {
                state.subscribed = true;
                state.failures = 0;
                if let Some(fields) = self.query("subscribed_fields") {
                    state.fields = fields.split(',').map(str::to_owned).collect();
                }
                Ok(json!({ "success": true }))
            }
            Method::DELETE => {
                state.subscribed = false;
                Ok(json!({ "success": true }))
            }
            _ => Err(invalid("Unsupported request")),
        }
    }

    /// Asked with the app's own token.
    fn of_app(&self, state: &State) -> Result<Value, Refusal> {
        let settings = &self.inner.settings;
        let app = format!("{}|{}", settings.app_id, settings.app_secret);
        if self.query("access_token").is_none_or(|token| token != app) {
            return Err(bad_token("Invalid OAuth access token signature."));
        }
        let object = match settings.plays {
            Plays::Messenger => "page",
            Plays::Instagram => "instagram",
            Plays::Whatsapp => "whatsapp_business_account",
        };
        if self.path.ends_with("subscriptions") {
            let each = state.fields.iter().map(|name| json!({ "name": name, "version": "v23.0" }));
            let fields: Vec<_> = each.collect();
            let callback = "https://hooks.example.test/webhooks/meta/page";
            let data = json!([{
                "object": object, "callback_url": callback, "active": state.subscribed, "fields": fields,
            }]);
            return Ok(json!({ "data": data }));
        }
        if self.query("input_token").is_none_or(|token| token != settings.token) {
            return Ok(json!({ "data": {
                "is_valid": false, "scopes": [],
                "error": { "code": 190, "message": "Invalid OAuth access token." },
            } }));
        }
        let scopes = ["pages_messaging", "pages_manage_metadata", "instagram_manage_messages"];
        let mut data = json!({
            "app_id": settings.app_id,
            "type": if settings.plays == Plays::Whatsapp { "SYSTEM_USER" } else { "PAGE" },
            "application": "app",
            "is_valid": !state.revoked,
            "expires_at": 0,
            "data_access_expires_at": self.inner.now() / 1000 + 90 * 24 * 60 * 60,
            "issued_at": self.inner.now() / 1000 - 60,
            "profile_id": settings.page,
            "scopes": if settings.plays == Plays::Whatsapp {
                json!(["whatsapp_business_messaging", "whatsapp_business_management"])
            } else {
                json!(scopes)
            },
        });
        if state.revoked {
            data["error"] = json!({ "code": 190, "subcode": 460, "message": "The session was invalidated." });
        }
        Ok(json!({ "data": data }))
    }

    /// How much of its rates are used, as the platform tells with each answer.
    fn usage(&self, state: &State, answer: Answer) -> Answer {
        let settings = &self.inner.settings;
        let percent = settings.page_rate.map_or(1, |rate| state.recent.len() * 100 / rate.max(1) as usize);
        let app = json!({ "call_count": percent, "total_time": 1, "total_cputime": 1 });
        let mut of_page = app.clone();
        of_page["type"] = json!("messenger");
        of_page["estimated_time_to_regain_access"] = json!(0);
        let page = json!({ &*settings.page: [of_page] });
        answer.with("x-app-usage", app.to_string()).with("x-business-use-case-usage", page.to_string())
    }
}

fn persona(state: &mut State, body: &Value) -> Result<Value, Refusal> {
    let field = |name: &str| body[name].as_str().map(str::to_owned);
    let (Some(name), Some(picture)) = (field("name"), field("profile_picture_url")) else {
        return Err(invalid("A persona needs a name and a profile_picture_url"));
    };
    let id = format!("{}", 7_000 + state.personas.len());
    state.personas.insert(id.clone(), (name, picture));
    Ok(json!({ "id": id }))
}
