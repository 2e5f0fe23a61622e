public import ArgumentParser
public import EnsembleModel

extension ModelVersionID: ExpressibleByArgument {
    /// `name@version`.
    public init?(argument: String) { try? self.init(argument) }
}

extension Scope: ExpressibleByArgument {}
