//! Which trails a command is about: those of an instance, one by its id, or all.

use auditkeep_archive::archive::Archive;
use auditkeep_archive::standing::Standing;
use auditkeep_archive::trail;
use clap::Args;

use crate::failure::Failure;

#[derive(Clone, Debug, Default, Args)]
#[group(multiple = false)]
pub struct TrailChoice {
    /// Name or resource id of the instance
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// The trail by its id; `auditkeep status --json` lists them
    #[arg(long, value_name = "ID")]
    pub trail: Option<String>,
}

/// A trail that was chosen, as it is now.
#[derive(Clone, Debug)]
pub struct Chosen {
    pub trail: String,
    /// Name of the instance.
    pub instance: String,
    pub standing: Standing,
}

impl TrailChoice {
    pub fn is_made(&self) -> bool {
        self.instance.is_some() || self.trail.is_some()
    }

    /// The trails of sources that were chosen, sorted; all without a choice. A choice that fits none is a failure.
    pub async fn find(&self, archive: &Archive) -> Result<Vec<Chosen>, Failure> {
        let mut chosen = Vec::new();
        for id in archive.trails().await? {
            if self.trail.as_ref().is_some_and(|trail| *trail != id) {
                continue;
            }
            let Some(head) = trail::head(archive, &id).await? else { continue };
            let (source, standing) = (&head.body.source, head.body.standing());
            let fits = |name: &String| *name == source.instance || *name == source.resource_id;
            if self.instance.as_ref().is_none_or(fits) {
                chosen.push(Chosen { trail: id, instance: source.instance.clone(), standing });
            }
        }
        let hint = "`auditkeep status` lists the instances, with --json their trails";
        match (&self.instance, &self.trail) {
            (Some(name), _) if chosen.is_empty() => {
                Err(Failure::new(format!("nothing of an instance `{name}` is archived"), hint))
            }
            (_, Some(id)) if chosen.is_empty() => {
                Err(Failure::new(format!("there is no trail `{id}`"), hint))
            }
            _ => Ok(chosen),
        }
    }
}

/// What to say where a choice must be made and was not.
pub fn not_made(all: bool) -> Failure {
    let all = if all { ", or --all" } else { "" };
    Failure::usage("it is not said which trails", format!("name them with --instance or --trail{all}"))
}
