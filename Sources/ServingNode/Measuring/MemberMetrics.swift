/// What is counted of the calls to one member.
final class MemberMetrics: Sendable {
    /// Calls by how they ended: `ok`, or the code of the fault.
    let calls = Tally<String>()
    /// Requests' rows that got no answer, by the code of the fault; a call carries the rows of several requests.
    let faults = Tally<MemberFault.Code>()
    /// Calls that were sent again.
    let retries = Tally<String>()
    /// Seconds a call, both attempts together.
    let latency = Histogram.latency()
    /// Rows of a call.
    let batchRows = Histogram.rows()
}

/// What is counted of the requests to one ensemble.
final class EnsembleMetrics: Sendable {
    /// Requests by HTTP status.
    let requests = Tally<Int>()
    /// Seconds a request that was answered, from its last byte.
    let latency = Histogram.latency()
    /// Rows of a request that was answered.
    let rows = Histogram.rows()
    /// Rows answered without some member.
    let incompleteRows = Tally<String>()
    /// Manifests for which a new member's outputs were computed ahead, by `ok` or `failed`.
    let warmups = Tally<String>()
    /// Rows whose outputs were computed ahead.
    let warmedRows = Tally<String>()
}
