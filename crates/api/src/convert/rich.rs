//! What a message shows beyond its text.

use domain::{AskFor, Button, ButtonDoes, Card, Choice, ChoiceList, Rejection, Rich, Template};
use wire::api::v1::{self as pb, rich, rich::button::Does};

use super::invalid;

/// What someone wants shown; none where that is nothing.
pub(crate) fn read(shown: Option<pb::Rich>) -> Result<Option<Box<Rich>>, Rejection> {
    let Some(shown) = shown else { return Ok(None) };
    let pb::Rich { buttons, cards, list, template, ask_email, ask_phone } = shown;
    let card = |card: rich::Card| {
        let rich::Card { title, subtitle, image, buttons } = card;
        Ok(Card { title, subtitle, image, buttons: self::buttons(buttons)? })
    };
    let list = list.map(|rich::ChoiceList { button, rows }| {
        let row = |rich::Choice { id, title, description }| Choice { id, title, description };
        ChoiceList { button, rows: rows.into_iter().map(row).collect() }
    });
    let template =
        template.map(|rich::Template { name, language, parameters }| Template { name, language, parameters });
    let asks = [(ask_email, AskFor::Email), (ask_phone, AskFor::Phone)];
    let rich = Rich {
        buttons: self::buttons(buttons)?,
        cards: cards.into_iter().map(card).collect::<Result<_, Rejection>>()?,
        list,
        template,
        asks: asks.into_iter().filter_map(|(asked, what)| asked.then_some(what)).collect(),
    };
    Ok((rich != Rich::default()).then(|| Box::new(rich)))
}

fn buttons(buttons: Vec<rich::Button>) -> Result<Vec<Button>, Rejection> {
    let button = |rich::Button { title, does }| {
        let does = match does {
            Some(Does::Open(url)) => ButtonDoes::Open(url),
            Some(Does::Post(payload)) => ButtonDoes::Post(payload),
            Some(Does::Call(number)) => ButtonDoes::Call(number),
            None => return Err(invalid(format!("say what button `{title}` does: `open`, `post` or `call`"))),
        };
        Ok(Button { title, does })
    };
    buttons.into_iter().map(button).collect()
}

pub(super) fn show(shown: Rich) -> pb::Rich {
    let Rich { buttons, cards, list, template, asks } = shown;
    let button = |Button { title, does }| {
        let does = match does {
            ButtonDoes::Open(url) => Does::Open(url),
            ButtonDoes::Post(payload) => Does::Post(payload),
            ButtonDoes::Call(number) => Does::Call(number),
        };
        rich::Button { title, does: Some(does) }
    };
    let card = |Card { title, subtitle, image, buttons }| rich::Card {
        title,
        subtitle,
        image,
        buttons: buttons.into_iter().map(button).collect(),
    };
    pb::Rich {
        buttons: buttons.into_iter().map(button).collect(),
        cards: cards.into_iter().map(card).collect(),
        list: list.map(|ChoiceList { button, rows }| {
            let row = |Choice { id, title, description }| rich::Choice { id, title, description };
            rich::ChoiceList { button, rows: rows.into_iter().map(row).collect() }
        }),
        template: template.map(|Template { name, language, parameters }| rich::Template {
            name,
            language,
            parameters,
        }),
        ask_email: asks.contains(&AskFor::Email),
        ask_phone: asks.contains(&AskFor::Phone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_what_was_written() {
        let button = |does| rich::Button { title: "Go".into(), does: Some(does) };
        let buttons = vec![
            button(Does::Open("https://x.example.test".into())),
            button(Does::Post("go".into())),
            button(Does::Call("+15550123".into())),
        ];
        let said = pb::Rich {
            buttons: buttons.clone(),
            cards: vec![rich::Card { title: "A".into(), subtitle: None, image: None, buttons }],
            list: Some(rich::ChoiceList {
                button: "Choose".into(),
                rows: vec![rich::Choice { id: "1".into(), title: "One".into(), description: None }],
            }),
            template: Some(rich::Template {
                name: "hello".into(),
                language: "en_US".into(),
                parameters: vec!["Ada".into()],
            }),
            ask_email: true,
            ask_phone: false,
        };
        assert_eq!(show(*read(Some(said.clone())).unwrap().unwrap()), said);
        assert_eq!(read(Some(pb::Rich::default())).unwrap(), None);
        let idle = rich::Button { title: "Go".into(), does: None };
        assert!(read(Some(pb::Rich { buttons: vec![idle], ..Default::default() })).is_err());
    }
}
