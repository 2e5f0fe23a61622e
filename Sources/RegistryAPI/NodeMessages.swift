public import EnsembleModel

/// What a serving node says of the ensembles that it follows.
public struct NodeStatusRequest: Hashable, Sendable, Codable {
    public var ensembles: [NodeReport]

    public init(ensembles: [NodeReport]) { self.ensembles = ensembles }
}
