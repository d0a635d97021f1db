//! Countries, by the two letters of ISO 3166, and the time they keep.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::BadId;

/// Two capital letters (ISO 3166-1 alpha-2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Country([u8; 2]);

impl Country {
    /// The IANA time zone that all of the country keeps; none where places differ.
    pub fn zone(self) -> Option<&'static str> {
        let at = ZONES.binary_search_by_key(&self.0, |(country, _)| *country).ok()?;
        ZONES.get(at).map(|(_, zone)| *zone)
    }
}

impl FromStr for Country {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        match <[u8; 2]>::try_from(text.as_bytes()) {
            Ok(letters @ [b'A'..=b'Z', b'A'..=b'Z']) => Ok(Country(letters)),
            _ => Err(BadId { what: "a country's two letters", text: text.to_owned() }),
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Of `zone.tab` in the time zone database: countries with one zone, or with several whose clocks show the same all year
/// (2025 to 2027).
#[rustfmt::skip]
const ZONES: [([u8; 2], &str); 224] = [
    (*b"AD", "Europe/Andorra"), (*b"AE", "Asia/Dubai"), (*b"AF", "Asia/Kabul"), (*b"AG", "America/Antigua"),
    (*b"AI", "America/Anguilla"), (*b"AL", "Europe/Tirane"), (*b"AM", "Asia/Yerevan"),
    (*b"AO", "Africa/Luanda"), (*b"AR", "America/Argentina/Buenos_Aires"), (*b"AS", "Pacific/Pago_Pago"),
    (*b"AT", "Europe/Vienna"), (*b"AW", "America/Aruba"), (*b"AX", "Europe/Mariehamn"), (*b"AZ", "Asia/Baku"),
    (*b"BA", "Europe/Sarajevo"), (*b"BB", "America/Barbados"), (*b"BD", "Asia/Dhaka"),
    (*b"BE", "Europe/Brussels"), (*b"BF", "Africa/Ouagadougou"), (*b"BG", "Europe/Sofia"),
    (*b"BH", "Asia/Bahrain"), (*b"BI", "Africa/Bujumbura"), (*b"BJ", "Africa/Porto-Novo"),
    (*b"BL", "America/St_Barthelemy"), (*b"BM", "Atlantic/Bermuda"), (*b"BN", "Asia/Brunei"),
    (*b"BO", "America/La_Paz"), (*b"BQ", "America/Kralendijk"), (*b"BS", "America/Nassau"),
    (*b"BT", "Asia/Thimphu"), (*b"BW", "Africa/Gaborone"), (*b"BY", "Europe/Minsk"), (*b"BZ", "America/Belize"),
    (*b"CC", "Indian/Cocos"), (*b"CF", "Africa/Bangui"), (*b"CG", "Africa/Brazzaville"),
    (*b"CH", "Europe/Zurich"), (*b"CI", "Africa/Abidjan"), (*b"CK", "Pacific/Rarotonga"),
    (*b"CM", "Africa/Douala"), (*b"CO", "America/Bogota"), (*b"CR", "America/Costa_Rica"),
    (*b"CU", "America/Havana"), (*b"CV", "Atlantic/Cape_Verde"), (*b"CW", "America/Curacao"),
    (*b"CX", "Indian/Christmas"), (*b"CY", "Asia/Nicosia"), (*b"CZ", "Europe/Prague"),
    (*b"DE", "Europe/Berlin"), (*b"DJ", "Africa/Djibouti"), (*b"DK", "Europe/Copenhagen"),
    (*b"DM", "America/Dominica"), (*b"DO", "America/Santo_Domingo"), (*b"DZ", "Africa/Algiers"),
    (*b"EE", "Europe/Tallinn"), (*b"EG", "Africa/Cairo"), (*b"EH", "Africa/El_Aaiun"),
    (*b"ER", "Africa/Asmara"), (*b"ET", "Africa/Addis_Ababa"), (*b"FI", "Europe/Helsinki"),
    (*b"FJ", "Pacific/Fiji"), (*b"FK", "Atlantic/Stanley"), (*b"FO", "Atlantic/Faroe"),
    (*b"FR", "Europe/Paris"), (*b"GA", "Africa/Libreville"), (*b"GB", "Europe/London"),
    (*b"GD", "America/Grenada"), (*b"GE", "Asia/Tbilisi"), (*b"GF", "America/Cayenne"),
    (*b"GG", "Europe/Guernsey"), (*b"GH", "Africa/Accra"), (*b"GI", "Europe/Gibraltar"),
    (*b"GM", "Africa/Banjul"), (*b"GN", "Africa/Conakry"), (*b"GP", "America/Guadeloupe"),
    (*b"GQ", "Africa/Malabo"), (*b"GR", "Europe/Athens"), (*b"GS", "Atlantic/South_Georgia"),
    (*b"GT", "America/Guatemala"), (*b"GU", "Pacific/Guam"), (*b"GW", "Africa/Bissau"),
    (*b"GY", "America/Guyana"), (*b"HK", "Asia/Hong_Kong"), (*b"HN", "America/Tegucigalpa"),
    (*b"HR", "Europe/Zagreb"), (*b"HT", "America/Port-au-Prince"), (*b"HU", "Europe/Budapest"),
    (*b"IE", "Europe/Dublin"), (*b"IL", "Asia/Jerusalem"), (*b"IM", "Europe/Isle_of_Man"),
    (*b"IN", "Asia/Kolkata"), (*b"IO", "Indian/Chagos"), (*b"IQ", "Asia/Baghdad"), (*b"IR", "Asia/Tehran"),
    (*b"IS", "Atlantic/Reykjavik"), (*b"IT", "Europe/Rome"), (*b"JE", "Europe/Jersey"),
    (*b"JM", "America/Jamaica"), (*b"JO", "Asia/Amman"), (*b"JP", "Asia/Tokyo"), (*b"KE", "Africa/Nairobi"),
    (*b"KG", "Asia/Bishkek"), (*b"KH", "Asia/Phnom_Penh"), (*b"KM", "Indian/Comoro"),
    (*b"KN", "America/St_Kitts"), (*b"KP", "Asia/Pyongyang"), (*b"KR", "Asia/Seoul"), (*b"KW", "Asia/Kuwait"),
    (*b"KY", "America/Cayman"), (*b"KZ", "Asia/Almaty"), (*b"LA", "Asia/Vientiane"), (*b"LB", "Asia/Beirut"),
    (*b"LC", "America/St_Lucia"), (*b"LI", "Europe/Vaduz"), (*b"LK", "Asia/Colombo"),
    (*b"LR", "Africa/Monrovia"), (*b"LS", "Africa/Maseru"), (*b"LT", "Europe/Vilnius"),
    (*b"LU", "Europe/Luxembourg"), (*b"LV", "Europe/Riga"), (*b"LY", "Africa/Tripoli"),
    (*b"MA", "Africa/Casablanca"), (*b"MC", "Europe/Monaco"), (*b"MD", "Europe/Chisinau"),
    (*b"ME", "Europe/Podgorica"), (*b"MF", "America/Marigot"), (*b"MG", "Indian/Antananarivo"),
    (*b"MH", "Pacific/Majuro"), (*b"MK", "Europe/Skopje"), (*b"ML", "Africa/Bamako"), (*b"MM", "Asia/Yangon"),
    (*b"MO", "Asia/Macau"), (*b"MP", "Pacific/Saipan"), (*b"MQ", "America/Martinique"),
    (*b"MR", "Africa/Nouakchott"), (*b"MS", "America/Montserrat"), (*b"MT", "Europe/Malta"),
    (*b"MU", "Indian/Mauritius"), (*b"MV", "Indian/Maldives"), (*b"MW", "Africa/Blantyre"),
    (*b"MY", "Asia/Kuala_Lumpur"), (*b"MZ", "Africa/Maputo"), (*b"NA", "Africa/Windhoek"),
    (*b"NC", "Pacific/Noumea"), (*b"NE", "Africa/Niamey"), (*b"NF", "Pacific/Norfolk"),
    (*b"NG", "Africa/Lagos"), (*b"NI", "America/Managua"), (*b"NL", "Europe/Amsterdam"),
    (*b"NO", "Europe/Oslo"), (*b"NP", "Asia/Kathmandu"), (*b"NR", "Pacific/Nauru"), (*b"NU", "Pacific/Niue"),
    (*b"OM", "Asia/Muscat"), (*b"PA", "America/Panama"), (*b"PE", "America/Lima"), (*b"PH", "Asia/Manila"),
    (*b"PK", "Asia/Karachi"), (*b"PL", "Europe/Warsaw"), (*b"PM", "America/Miquelon"),
    (*b"PN", "Pacific/Pitcairn"), (*b"PR", "America/Puerto_Rico"), (*b"PS", "Asia/Gaza"),
    (*b"PW", "Pacific/Palau"), (*b"PY", "America/Asuncion"), (*b"QA", "Asia/Qatar"), (*b"RE", "Indian/Reunion"),
    (*b"RO", "Europe/Bucharest"), (*b"RS", "Europe/Belgrade"), (*b"RW", "Africa/Kigali"),
    (*b"SA", "Asia/Riyadh"), (*b"SB", "Pacific/Guadalcanal"), (*b"SC", "Indian/Mahe"),
    (*b"SD", "Africa/Khartoum"), (*b"SE", "Europe/Stockholm"), (*b"SG", "Asia/Singapore"),
    (*b"SH", "Atlantic/St_Helena"), (*b"SI", "Europe/Ljubljana"), (*b"SJ", "Arctic/Longyearbyen"),
    (*b"SK", "Europe/Bratislava"), (*b"SL", "Africa/Freetown"), (*b"SM", "Europe/San_Marino"),
    (*b"SN", "Africa/Dakar"), (*b"SO", "Africa/Mogadishu"), (*b"SR", "America/Paramaribo"),
    (*b"SS", "Africa/Juba"), (*b"ST", "Africa/Sao_Tome"), (*b"SV", "America/El_Salvador"),
    (*b"SX", "America/Lower_Princes"), (*b"SY", "Asia/Damascus"), (*b"SZ", "Africa/Mbabane"),
    (*b"TC", "America/Grand_Turk"), (*b"TD", "Africa/Ndjamena"), (*b"TF", "Indian/Kerguelen"),
    (*b"TG", "Africa/Lome"), (*b"TH", "Asia/Bangkok"), (*b"TJ", "Asia/Dushanbe"), (*b"TK", "Pacific/Fakaofo"),
    (*b"TL", "Asia/Dili"), (*b"TM", "Asia/Ashgabat"), (*b"TN", "Africa/Tunis"), (*b"TO", "Pacific/Tongatapu"),
    (*b"TR", "Europe/Istanbul"), (*b"TT", "America/Port_of_Spain"), (*b"TV", "Pacific/Funafuti"),
    (*b"TW", "Asia/Taipei"), (*b"TZ", "Africa/Dar_es_Salaam"), (*b"UG", "Africa/Kampala"),
    (*b"UY", "America/Montevideo"), (*b"UZ", "Asia/Samarkand"), (*b"VA", "Europe/Vatican"),
    (*b"VC", "America/St_Vincent"), (*b"VE", "America/Caracas"), (*b"VG", "America/Tortola"),
    (*b"VI", "America/St_Thomas"), (*b"VN", "Asia/Ho_Chi_Minh"), (*b"VU", "Pacific/Efate"),
    (*b"WF", "Pacific/Wallis"), (*b"WS", "Pacific/Apia"), (*b"YE", "Asia/Aden"), (*b"YT", "Indian/Mayotte"),
    (*b"ZA", "Africa/Johannesburg"), (*b"ZM", "Africa/Lusaka"), (*b"ZW", "Africa/Harare"),
];

#[cfg(test)]
mod tests {
    use super::{Country, ZONES};
    use crate::policy::{Calendar, Hours};

    fn country(text: &str) -> Country {
        text.parse().unwrap()
    }

    #[test]
    fn a_country_with_one_time_has_a_zone_and_one_with_several_none() {
        assert_eq!(country("DE").zone(), Some("Europe/Berlin"));
        assert_eq!(country("IN").zone(), Some("Asia/Kolkata"));
        for several in ["US", "CA", "AU", "BR", "RU", "ES", "PT", "XX"] {
            assert_eq!(country(several).zone(), None, "{several}");
        }
        for wrong in ["", "D", "de", "DEU", "Ä"] {
            assert!(wrong.parse::<Country>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_zone_is_known_and_the_table_is_in_order() {
        assert!(ZONES.is_sorted_by(|one, next| one.0 < next.0));
        for (country, zone) in ZONES {
            let hours = Hours { time_zone: zone.to_owned(), ..Hours::default() };
            assert!(Calendar::of(&hours).is_ok(), "{country:?}: {zone}");
        }
    }
}
