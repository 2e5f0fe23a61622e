import Foundation

/// How a member is called: a manifest's `endpoint`, read.
///
/// The URL is that of an Open Inference Protocol server, `http://host:port[/prefix]`, which then knows the model by the
/// member's name, or that of the model itself, `http://host:port[/prefix]/v2/models/NAME[/versions/VERSION]`. Its query
/// is not sent; it says what of the protocol's freedom the member uses:
/// - `inputs=a,b`: send only these tensors of a request (`key` and `group` among them); all of them by default.
/// - `output=NAME`: ask for this output; by default the answer's only one, or the one named `probabilities`.
/// - `precompute=true` (or a path such as `/warm`): the member takes frequent rows ahead, in the form of an inference
///   request, by POST to `precompute` under the model's URL (or to that path).
struct MemberEndpoint: Hashable, Sendable {
    /// Where rows are posted.
    let inferURL: String
    /// Where frequent rows are posted ahead of traffic.
    let precomputeURL: String?
    /// Tensors of a request to send; nil for all.
    let inputs: Set<String>?
    /// Output to ask for.
    let output: String?

    /// Reads an endpoint; nil when it is none that can be called by the protocol over HTTP.
    init?(_ endpoint: String, model: String) {
        guard var url = URLComponents(string: endpoint), let scheme = url.scheme?.lowercased(),
            ["http", "https"].contains(scheme), url.host?.isEmpty == false, url.user == nil, url.password == nil,
            url.fragment == nil
        else { return nil }
        let query = Dictionary(
            (url.queryItems ?? []).map { ($0.name, $0.value ?? "") }, uniquingKeysWith: { first, _ in first })
        guard query.keys.allSatisfy(["inputs", "output", "precompute"].contains) else { return nil }
        inputs = query["inputs"].map { Set($0.split(separator: ",").map(String.init)) }
        output = query["output"].flatMap { $0.isEmpty ? nil : $0 }
        url.query = nil
        var path = url.path
        while path.hasSuffix("/") { path.removeLast() }
        if !path.contains("/v2/models/") { path += "/v2/models/\(model)" }
        guard let base = Self.url(url, path: path) else { return nil }
        inferURL = base + "/infer"
        switch query["precompute"] {
        case nil, "false": precomputeURL = nil
        case "true": precomputeURL = base + "/precompute"
        case let path?:
            guard path.hasPrefix("/"), let other = Self.url(url, path: path) else { return nil }
            precomputeURL = other
        }
    }

    private static func url(_ components: URLComponents, path: String) -> String? {
        var components = components
        components.path = path
        return components.string
    }
}
