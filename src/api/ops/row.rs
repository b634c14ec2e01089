//! How a row of the table of operations is written.

/// What a row says of a column, or what the column is where a row says nothing.
macro_rules! column {
    ($given:expr; $otherwise:expr) => {
        $given
    };
    (; $otherwise:expr) => {
        $otherwise
    };
}

macro_rules! operation {
    ($name:literal, $summary:literal, $class:ident $method:ident $path:literal,
     $scope:ident by [$($acts:ident $acting:literal),*], on $group:ident $($of:literal)?, key: $key:expr,
     $request:ty => $reply:ty, $(bad_request: $bad:expr,)? $(statuses: $statuses:expr,)? $(founds: $founds:expr,)?
     $(asks: $asks:expr,)? $(waits: $waits:expr,)? $(critical: $critical:expr,)?
     $(records_refusals: $records:expr,)? |$q:ident, $r:ident| $call:expr) => {
        Operation {
            name: $name,
            summary: $summary,
            class: Class::$class,
            critical: column!($($critical)?; class::never),
            method: Method::$method,
            path: $path,
            scope: Need::$scope,
            acts: &[$(Acts::$acts($acting)),*],
            group: Group::$group $(($of))?,
            records_refusals: column!($($records)?; false),
            key: $key,
            bad_request: column!($($bad)?; &[]),
            statuses: column!($($statuses)?; &[]),
            founds: column!($($founds)?; false),
            asks: column!($($asks)?; matches!(Method::$method, Method::Get)),
            waits: column!($($waits)?; class::never),
            request: || schema_for!($request),
            reply: || schema_for!($reply),
            run: |$q, fields| {
                Box::pin(async move {
                    let critical: fn(&Map<String, Value>) -> bool = column!($($critical)?; class::never);
                    let label = Label { class: Class::$class, critical: critical(&fields), deadline: None };
                    let host = $q.host();
                    let _inside = host.admission.enter(host, label).map_err(turned)?;
                    static SCHEMA: OnceLock<Value> = OnceLock::new();
                    json::check_shapes(|| SCHEMA.get_or_init(|| schema_for!($request).to_value()), &fields)?;
                    let $r: $request = parse(fields)?;
                    let reply: $reply = $call;
                    to_json(reply)
                })
            },
        }
    };
}
