//! What may be sent, to whom, and how fast.

use serde_json::Value;

use super::{
    Inner, Plays, State,
    graph::{Refusal, invalid},
};

const HOUR: i64 = 60 * 60 * 1000;

/// Looks at a message as the platform does, in its order: shape, customer, rates, window.
pub(super) fn check(inner: &Inner, state: &mut State, body: &Value) -> Result<(), Refusal> {
    match inner.settings.plays {
        Plays::Whatsapp => whatsapp(inner, state, body),
        _ => page(inner, state, body),
    }
}

fn page(inner: &Inner, state: &mut State, body: &Value) -> Result<(), Refusal> {
    let to = body["recipient"]["id"].as_str().ok_or_else(|| invalid("param recipient must be non-empty."))?;
    let customer = state.customers.get(to).cloned();
    let customer =
        customer.ok_or_else(|| Refusal::new(400, 100, Some(2_018_001), "(#100) No matching user found"))?;
    if customer.gone {
        return Err(Refusal::new(400, 551, Some(1_545_041), "(#551) This person isn't available right now."));
    }
    let message = &body["message"];
    if let Some(action) = body["sender_action"].as_str() {
        if !message.is_null() {
            return Err(invalid("Cannot send both message and state at the same time."));
        }
        return match action {
            "typing_on" | "typing_off" | "mark_seen" => Ok(()),
            _ => Err(invalid("Param sender_action must be one of {TYPING_ON, TYPING_OFF, MARK_SEEN}")),
        };
    }
    shape(inner.settings.plays, message)?;
    if let Some(persona) = body["persona_id"].as_str()
        && !state.personas.contains_key(persona)
    {
        return Err(invalid("The persona does not exist."));
    }
    if let Some(upload) = message["attachment"]["payload"]["attachment_id"].as_str()
        && !state.uploads.contains_key(upload)
    {
        return Err(invalid("The attachment does not exist."));
    }
    rates(inner, state, to, 613, Some(1_893_016))?;
    let since = |at: Option<i64>| at.map_or(i64::MAX, |at| inner.now() - at);
    let (wrote, ad) = (since(customer.wrote_at), since(customer.ad_at));
    let allowed = match (body["messaging_type"].as_str(), body["tag"].as_str()) {
        (Some("MESSAGE_TAG"), Some("HUMAN_AGENT")) => wrote <= 7 * 24 * HOUR || ad <= 7 * 24 * HOUR,
        (Some("MESSAGE_TAG"), _) => return Err(invalid("Tag must be one of the allowed tags.")),
        (Some("RESPONSE" | "UPDATE"), None) => wrote <= 24 * HOUR || ad <= 7 * 24 * HOUR,
        (Some(_), _) => return Err(invalid("A tag needs messaging_type MESSAGE_TAG.")),
        (None, _) => return Err(invalid("param messaging_type is required.")),
    };
    allowed.then_some(()).ok_or_else(|| {
        let message = "(#10) This message is sent outside of allowed window.";
        Refusal::new(403, 10, Some(2_018_278), message)
    })
}

/// The Send API's limits.
fn shape(plays: Plays, message: &Value) -> Result<(), Refusal> {
    let text = message["text"].as_str();
    let attachment = &message["attachment"];
    if text.is_none() && attachment.is_null() {
        return Err(invalid("Message cannot be empty, must provide valid attachment or text"));
    }
    if text.is_some() && !attachment.is_null() {
        return Err(invalid("Message cannot contain both text and attachment"));
    }
    let most = |plays, text: &str| match plays {
        Plays::Instagram => text.len() <= 1000,
        _ => text.chars().count() <= 2000,
    };
    if text.is_some_and(|text| text.is_empty() || !most(plays, text)) {
        return Err(invalid("Length of param message[text] must be less than or equal to 2000"));
    }
    if message["metadata"].as_str().is_some_and(|metadata| metadata.len() > 1000) {
        return Err(invalid("Length of param message[metadata] must be less than or equal to 1000"));
    }
    let replies = message["quick_replies"].as_array().map_or(&[][..], Vec::as_slice);
    if replies.len() > 13 {
        return Err(invalid("Too many elements in param message[quick_replies]"));
    }
    for reply in replies {
        let title = reply["title"].as_str();
        match reply["content_type"].as_str() {
            Some("text") if title.is_some_and(|title| (1..=20).contains(&title.chars().count())) => {}
            Some("text") => return Err(invalid("Length of quick reply title must be 1 to 20")),
            Some("user_email" | "user_phone_number") if title.is_none() => {}
            _ => return Err(invalid("Invalid quick reply")),
        }
    }
    let payload = &attachment["payload"];
    match attachment["type"].as_str() {
        None if attachment.is_null() => Ok(()),
        Some("image" | "audio" | "video" | "file") => {
            let given = payload["url"].is_string() || payload["attachment_id"].is_string();
            given.then_some(()).ok_or_else(|| invalid("An attachment needs a url or an attachment_id"))
        }
        Some("template") => template(payload),
        _ => Err(invalid("Invalid attachment type")),
    }
}

fn template(payload: &Value) -> Result<(), Refusal> {
    let short = |value: &Value, most: usize| {
        value.as_str().is_some_and(|text| (1..=most).contains(&text.chars().count()))
    };
    let buttons = |value: &Value| match value.as_array() {
        None => true,
        Some(buttons) => {
            (1..=3).contains(&buttons.len())
                && buttons.iter().all(|button| {
                    short(&button["title"], 20)
                        && match button["type"].as_str() {
                            Some("web_url") => button["url"].is_string(),
                            Some("postback") => short(&button["payload"], 1000),
                            Some("phone_number") => {
                                button["payload"].as_str().is_some_and(|number| number.starts_with('+'))
                            }
                            _ => false,
                        }
                })
        }
    };
    let fits = match payload["template_type"].as_str() {
        Some("button") => {
            short(&payload["text"], 640) && payload["buttons"].is_array() && buttons(&payload["buttons"])
        }
        Some("generic") => payload["elements"].as_array().is_some_and(|cards| {
            (1..=10).contains(&cards.len())
                && cards.iter().all(|card| {
                    short(&card["title"], 80)
                        && (card["subtitle"].is_null() || short(&card["subtitle"], 80))
                        && buttons(&card["buttons"])
                })
        }),
        _ => false,
    };
    fits.then_some(()).ok_or_else(|| invalid("The template is invalid"))
}

fn whatsapp(inner: &Inner, state: &mut State, body: &Value) -> Result<(), Refusal> {
    if body["messaging_product"] != "whatsapp" {
        return Err(invalid("The parameter messaging_product is required."));
    }
    let to = body["to"].as_str().ok_or_else(|| invalid("The parameter to is required."))?;
    let customer = state.customers.get(to).cloned();
    let Some(customer) = customer.filter(|customer| !customer.gone) else {
        return Err(Refusal::new(400, 131_026, None, "(#131026) Message undeliverable"));
    };
    let short = |value: &Value, most: usize| {
        value.as_str().is_some_and(|text| (1..=most).contains(&text.chars().count()))
    };
    let kind = body["type"].as_str().unwrap_or("text");
    let content = &body[kind];
    let fits = match kind {
        "text" => short(&content["body"], 4096),
        "image" | "audio" | "video" | "document" | "sticker" => {
            content["link"].is_string()
                || content["id"].as_str().is_some_and(|id| state.uploads.contains_key(id))
        }
        "interactive" => interactive(content),
        "template" => {
            let name = content["name"].as_str().unwrap_or_default();
            let Some(wanted) = inner.settings.templates.get(name) else {
                let message = "(#132001) Template name does not exist in the translation";
                return Err(Refusal::new(404, 132_001, None, message));
            };
            let components = content["components"].as_array().map_or(&[][..], Vec::as_slice);
            let body = components.iter().find(|component| component["type"] == "body");
            let given = body.and_then(|body| body["parameters"].as_array()).map_or(0, Vec::len);
            if given != *wanted {
                let message = "(#132000) Number of parameters does not match the expected number of params";
                return Err(Refusal::new(400, 132_000, None, message));
            }
            content["language"]["code"].is_string()
        }
        _ => false,
    };
    if !fits {
        return Err(invalid("Invalid parameter"));
    }
    rates(inner, state, to, 131_056, None)?;
    let open = customer.wrote_at.is_some_and(|at| inner.now() - at <= 24 * HOUR);
    if !open && kind != "template" {
        let message = "(#131047) More than 24 hours have passed since the customer last replied";
        return Err(Refusal::new(400, 131_047, None, message));
    }
    Ok(())
}

fn interactive(content: &Value) -> bool {
    let short = |value: &Value, most: usize| {
        value.as_str().is_some_and(|text| (1..=most).contains(&text.chars().count()))
    };
    let action = &content["action"];
    short(&content["body"]["text"], 1024)
        && match content["type"].as_str() {
            Some("button") => action["buttons"].as_array().is_some_and(|buttons| {
                (1..=3).contains(&buttons.len())
                    && buttons.iter().all(|button| {
                        let reply = &button["reply"];
                        button["type"] == "reply" && short(&reply["title"], 20) && short(&reply["id"], 256)
                    })
            }),
            Some("list") => {
                let sections = action["sections"].as_array().map_or(&[][..], Vec::as_slice);
                let rows =
                    || sections.iter().flat_map(|section| section["rows"].as_array().into_iter().flatten());
                let titled =
                    sections.len() == 1 || sections.iter().all(|section| short(&section["title"], 24));
                short(&action["button"], 20)
                    && titled
                    && (1..=10).contains(&rows().count())
                    && rows().all(|row| {
                        short(&row["title"], 24)
                            && short(&row["id"], 200)
                            && (row["description"].is_null() || short(&row["description"], 72))
                    })
            }
            Some("cta_url") => {
                action["name"] == "cta_url"
                    && short(&action["parameters"]["display_text"], 20)
                    && action["parameters"]["url"].is_string()
            }
            _ => false,
        }
}

/// The Page's rate first, then the thread's.
fn rates(inner: &Inner, state: &mut State, to: &str, code: i64, subcode: Option<i64>) -> Result<(), Refusal> {
    let now = inner.now();
    if let Some(rate) = inner.settings.page_rate {
        while state.recent.front().is_some_and(|at| now - at >= 1000) {
            state.recent.pop_front();
        }
        if state.recent.len() >= rate as usize {
            return Err(match inner.settings.plays {
                Plays::Whatsapp => Refusal::new(429, 130_429, None, "(#130429) Rate limit hit"),
                _ => Refusal::new(400, 80_006, None, "There have been too many calls to this Page account."),
            });
        }
    }
    if let Some((burst, step)) = inner.settings.thread_rate
        && let Some(customer) = state.customers.get_mut(to)
    {
        let (left, at) = customer.burst.unwrap_or((f64::from(burst), now));
        let left = (left + (now - at) as f64 / step as f64).min(f64::from(burst));
        if left < 1.0 {
            customer.burst = Some((left, now));
            return Err(Refusal::new(400, code, subcode, "Too many messages to this person"));
        }
        customer.burst = Some((left - 1.0, now));
    }
    state.recent.push_back(now);
    Ok(())
}
