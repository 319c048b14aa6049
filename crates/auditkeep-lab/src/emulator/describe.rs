//! `DescribeDBInstances`: the fleet as RDS describes it.
//!
//! What a lab instance does not have (class, endpoint, creation time) is a fixed, plausible value.

use crate::emulator::answer::{Empty, EndpointElement, InstanceElement, InstanceList, InstancesPage};
use crate::emulator::fault::Fault;
use crate::emulator::fleet::LabInstance;
use crate::emulator::params::Params;
use crate::emulator::served::Served;

/// The bounds of `MaxRecords` in the Amazon RDS API Reference; the upper one is the default.
const RECORDS: std::ops::RangeInclusive<i64> = 20..=100;

/// The account and region that appear in ARNs and addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
}

impl Place<'_> {
    fn arn(self, instance: &str) -> String {
        format!("arn:aws:rds:{}:{}:db:{instance}", self.region, self.account)
    }
}

pub(crate) fn instances(served: &Served, place: Place<'_>, params: &Params) -> Result<InstancesPage, Fault> {
    params.refuse_filters()?;
    let length = page_length(params)?;
    if let Some(identifier) = params.text("DBInstanceIdentifier") {
        let name = identifier.strip_prefix(&place.arn("")).unwrap_or(identifier);
        let instance = served.find(name).ok_or_else(|| Fault::instance_not_found(name))?;
        let items = vec![element(&name.to_ascii_lowercase(), instance, place)];
        return Ok(InstancesPage { marker: None, instances: InstanceList { items } });
    }
    let after = params.text("Marker").map(parse_marker).transpose()?;
    let mut page: Vec<(&str, &LabInstance)> = served.after(after.as_deref()).take(length + 1).collect();
    let more = page.len() > length;
    page.truncate(length);
    let marker = page.last().filter(|_| more).map(|(name, _)| hex::encode(name));
    let items = page.into_iter().map(|(name, instance)| element(name, instance, place)).collect();
    Ok(InstancesPage { marker, instances: InstanceList { items } })
}

fn page_length(params: &Params) -> Result<usize, Fault> {
    let records = params.number("MaxRecords")?.unwrap_or(*RECORDS.end());
    usize::try_from(records).ok().filter(|_| RECORDS.contains(&records)).ok_or_else(|| {
        let message = format!("Invalid value {records} for MaxRecords. Must be between 20 and 100");
        Fault::invalid_value(message)
    })
}

fn parse_marker(marker: &str) -> Result<String, Fault> {
    let name = hex::decode(marker).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| Fault::invalid_value("Invalid value for Marker"))
}

fn element(name: &str, instance: &LabInstance, place: Place<'_>) -> InstanceElement {
    InstanceElement {
        class: "db.t4g.medium",
        engine: instance.engine.clone(),
        engine_version: instance.engine_version.clone(),
        status: instance.logs.status().as_str(),
        dbi_resource_id: instance.resource_id.clone(),
        arn: place.arn(name),
        instance_create_time: "2026-01-15T08:30:00.000Z",
        endpoint: EndpointElement {
            address: format!("{name}.lab.{}.rds.amazonaws.com", place.region),
            port: port(&instance.engine),
        },
        cluster: instance.cluster.clone(),
        availability_zone: format!("{}a", place.region),
        tag_list: Empty {},
        identifier: name.to_owned(),
    }
}

/// The port that the engine listens on by default.
fn port(engine: &str) -> u16 {
    match engine {
        engine if engine.contains("postgres") => 5432,
        engine if engine.starts_with("oracle") => 1521,
        engine if engine.starts_with("sqlserver") => 1433,
        _ => 3306,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emulator::fleet::{Fleet, Logs};

    const PLACE: Place<'_> = Place { region: "eu-central-1", account: "123456789012" };

    fn fleet(size: usize) -> Served {
        let instance = |n: usize| LabInstance {
            name: format!("db{n:03}"),
            resource_id: format!("db-{n:03}"),
            engine: "postgres".to_owned(),
            engine_version: "15.8".to_owned(),
            cluster: None,
            logs: Logs::Mounts(Vec::new()),
        };
        Served::new(Fleet { instances: (0..size).map(instance).collect() })
    }

    fn ask(fleet: &Served, query: &str) -> Result<InstancesPage, Fault> {
        instances(fleet, PLACE, &Params::read(query, b""))
    }

    #[test]
    fn pages_have_a_hundred_instances() {
        let fleet = fleet(130);
        let first = ask(&fleet, "").unwrap();
        assert_eq!(first.instances.items.len(), 100);
        let second = ask(&fleet, &format!("Marker={}", first.marker.unwrap())).unwrap();
        assert_eq!(second.instances.items.len(), 30);
        assert_eq!(second.instances.items[0].identifier, "db100");
        assert!(second.marker.is_none());
        for records in [19, 101] {
            assert_eq!(
                ask(&fleet, &format!("MaxRecords={records}")).unwrap_err().code,
                "InvalidParameterValue"
            );
        }
    }

    #[test]
    fn one_instance_is_found_by_name_or_arn() {
        let fleet = fleet(3);
        for identifier in ["db001", "DB001", "arn:aws:rds:eu-central-1:123456789012:db:db001"] {
            let page = ask(&fleet, &format!("DBInstanceIdentifier={identifier}")).unwrap();
            assert_eq!(page.instances.items[0].dbi_resource_id, "db-001");
        }
        assert_eq!(ask(&fleet, "DBInstanceIdentifier=db009").unwrap_err().code, "DBInstanceNotFound");
    }
}
