//! The parameters of published models, and along which of their features loaders cut them.

/// What the published configuration of a model says.
#[derive(Clone)]
pub struct Model {
    pub name: &'static str,
    pub hidden: i64,
    pub layers: i64,
    pub heads: i64,
    pub kv_heads: i64,
    pub head_dim: i64,
    /// Features of the dense MLP.
    pub width: i64,
    /// So many of them have one quantisation scale.
    pub block: i64,
    pub vocabulary: i64,
    pub family: Family,
    /// How many parameters it is published with.
    pub numel: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Llama and Qwen3: QKV and gate-up are one parameter each.
    Dense { head_norms: bool },
    /// Mixtral and Qwen3's larger models: gate-up and down for each expert.
    Experts { experts: i64, width: i64, head_norms: bool },
    /// DeepSeek-V3: low-rank attention, the first layers dense, one expert shared by all tokens.
    Latent { experts: i64, width: i64, dense: i64, q_rank: i64, kv_rank: i64, rope: i64 },
    /// GPT-2: weights are stored input by output, every linear layer has a bias.
    Gpt2 { positions: i64 },
    /// Gemma 2: parameters as they are published, nothing fused; embeddings are used twice.
    Gemma,
}

/// Parameters that are cut alike, one of each layer that has them.
#[derive(Clone)]
pub struct Parameter {
    pub name: &'static str,
    pub sizes: Vec<i64>,
    /// How many layers have it.
    pub count: i64,
    /// Whether dimension 0 is a vocabulary, which is padded.
    pub is_vocabulary: bool,
    pub splits: Vec<Split>,
}

/// A dimension that a loader cuts over an axis of the mesh.
#[derive(Clone)]
pub struct Split {
    pub dim: usize,
    pub axis: &'static str,
    pub segments: Vec<Features>,
}

/// Neighbouring features that are cut on their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Features {
    /// Heads, blocks, experts.
    pub units: i64,
    /// How many indices each has.
    pub unit: i64,
    /// Units that belong together, as query heads with the same keys do.
    pub group: i64,
    /// Whether ranks may share units where they are more.
    pub shared: bool,
}

impl Features {
    fn new(units: i64, unit: i64) -> Self {
        Self { units, unit, group: 1, shared: false }
    }

    pub fn size(&self) -> i64 {
        self.units * self.unit
    }
}

impl Parameter {
    fn new(name: &'static str, sizes: &[i64], count: i64) -> Self {
        Self { name, sizes: sizes.to_vec(), count, is_vocabulary: false, splits: Vec::new() }
    }

    fn vocabulary(name: &'static str, size: i64, hidden: i64) -> Self {
        Self { is_vocabulary: true, ..Self::new(name, &[size, hidden], 1) }.over(
            "tp",
            0,
            &[Features::new(size, 1)],
        )
    }

    fn over(mut self, axis: &'static str, dim: usize, segments: &[Features]) -> Self {
        self.splits.push(Split { dim, axis, segments: segments.to_vec() });
        self
    }

    pub fn numel(&self) -> i64 {
        self.sizes.iter().product()
    }
}

pub fn models() -> Vec<Model> {
    let llama = |name, hidden, layers, heads, width, numel| Model {
        name,
        hidden,
        layers,
        heads,
        kv_heads: 8,
        head_dim: 128,
        width,
        block: 1,
        vocabulary: 128_256,
        family: Family::Dense { head_norms: false },
        numel,
    };
    let llama_8b = llama("Llama-3 8B", 4096, 32, 32, 14_336, 8_030_261_248);
    vec![
        llama("Llama-3 70B", 8192, 80, 64, 28_672, 70_553_706_496),
        llama("Llama-3 405B", 16_384, 126, 128, 53_248, 405_853_388_800),
        Model {
            vocabulary: 151_936,
            family: Family::Dense { head_norms: true },
            ..llama("Qwen3 32B", 5120, 64, 64, 25_600, 32_762_123_264)
        },
        Model {
            vocabulary: 151_936,
            kv_heads: 4,
            family: Family::Experts { experts: 128, width: 1536, head_norms: true },
            ..llama("Qwen3 235B-A22B", 4096, 94, 64, 12_288, 235_093_634_560)
        },
        Model {
            vocabulary: 32_000,
            family: Family::Experts { experts: 8, width: 14_336, head_norms: false },
            numel: 46_702_792_704,
            name: "Mixtral 8x7B",
            ..llama_8b.clone()
        },
        llama_8b,
        Model {
            name: "DeepSeek-V3",
            hidden: 7168,
            layers: 61,
            heads: 128,
            kv_heads: 128,
            head_dim: 128,
            width: 18_432,
            block: 128,
            vocabulary: 129_280,
            family: Family::Latent {
                experts: 256,
                width: 2048,
                dense: 3,
                q_rank: 1536,
                kv_rank: 512,
                rope: 64,
            },
            numel: 671_026_419_200,
        },
        Model {
            name: "GPT-2",
            hidden: 768,
            layers: 12,
            heads: 12,
            kv_heads: 12,
            head_dim: 64,
            width: 3072,
            block: 1,
            vocabulary: 50_257,
            family: Family::Gpt2 { positions: 1024 },
            numel: 124_439_808,
        },
        Model {
            name: "Gemma 2 9B",
            hidden: 3584,
            layers: 42,
            heads: 16,
            kv_heads: 8,
            head_dim: 256,
            width: 14_336,
            block: 1,
            vocabulary: 256_000,
            family: Family::Gemma,
            numel: 9_241_705_984,
        },
    ]
}

impl Model {
    /// The same heads and experts with a few features each, for answers by lists of all elements.
    pub fn small(&self) -> Self {
        let family = match self.family {
            Family::Experts { experts, head_norms, .. } => {
                Family::Experts { experts: experts.min(8), width: 48, head_norms }
            }
            Family::Latent { .. } => {
                Family::Latent { experts: 8, width: 48, dense: 1, q_rank: 5, kv_rank: 3, rope: 1 }
            }
            Family::Gpt2 { .. } => Family::Gpt2 { positions: 7 },
            other => other,
        };
        let block = self.block.min(3);
        Self {
            hidden: 5,
            layers: 2,
            head_dim: 2,
            width: 48,
            block,
            vocabulary: 101,
            family,
            ..*self
        }
    }

    /// All parameters, those of equal layers once.
    pub fn parameters(&self) -> Vec<Parameter> {
        let (vocabulary, hidden) = (self.vocabulary, self.hidden);
        let mut all = vec![Parameter::vocabulary("embed_tokens", vocabulary, hidden)];
        match self.family {
            Family::Dense { head_norms } => {
                all.extend(self.fused_attention(head_norms));
                all.extend(self.fused_mlp(["gate_up_proj", "down_proj"], self.width, self.layers));
            }
            Family::Experts { experts, width, head_norms } => {
                all.extend(self.fused_attention(head_norms));
                all.extend(self.experts(experts, width, self.layers));
            }
            Family::Latent { experts, width, dense, q_rank, kv_rank, rope } => {
                let sparse = self.layers - dense;
                all.extend(self.latent_attention(q_rank, kv_rank, rope));
                all.extend(self.fused_mlp(["gate_up_proj", "down_proj"], self.width, dense));
                all.extend(self.fused_mlp(["shared.gate_up", "shared.down"], width, sparse));
                all.extend(self.experts(experts, width, sparse));
                all.push(Parameter::new("gate.bias", &[experts], sparse));
            }
            Family::Gpt2 { positions } => {
                all.extend(self.gpt2(positions));
                return all;
            }
            Family::Gemma => {
                all.extend(self.unfused());
                all.push(Parameter::new("norm", &[hidden], 1 + 4 * self.layers));
                return all;
            }
        }
        all.push(Parameter::new("norm", &[hidden], 1 + 2 * self.layers));
        all.push(Parameter::vocabulary("lm_head", vocabulary, hidden));
        all
    }

    /// Query heads, and heads of keys or values.
    fn heads(&self) -> [Features; 2] {
        let kv = Features { shared: true, ..Features::new(self.kv_heads, self.head_dim) };
        let group = self.heads / self.kv_heads;
        [Features { group, ..Features::new(self.heads, self.head_dim) }, kv]
    }

    fn blocks(&self, width: i64) -> Features {
        Features::new(width / self.block, self.block)
    }

    fn fused_attention(&self, head_norms: bool) -> Vec<Parameter> {
        let [q, kv] = self.heads();
        let (rows, layers) = (q.size() + 2 * kv.size(), self.layers);
        let mut all = vec![
            Parameter::new("qkv_proj", &[rows, self.hidden], layers).over("tp", 0, &[q, kv, kv]),
            Parameter::new("o_proj", &[self.hidden, q.size()], layers).over("tp", 1, &[q]),
        ];
        if head_norms {
            all.push(Parameter::new("head_norm", &[self.head_dim], 2 * layers));
        }
        all
    }

    fn fused_mlp(&self, names: [&'static str; 2], width: i64, layers: i64) -> Vec<Parameter> {
        let blocks = self.blocks(width);
        vec![
            Parameter::new(names[0], &[2 * width, self.hidden], layers).over("tp", 0, &[blocks; 2]),
            Parameter::new(names[1], &[self.hidden, width], layers).over("tp", 1, &[blocks]),
        ]
    }

    fn experts(&self, experts: i64, width: i64, layers: i64) -> Vec<Parameter> {
        let (blocks, whole) = (self.blocks(width), [Features::new(experts, 1)]);
        let gate_up = Parameter::new("experts.w13", &[experts, 2 * width, self.hidden], layers);
        let down = Parameter::new("experts.w2", &[experts, self.hidden, width], layers);
        vec![
            gate_up.over("ep", 0, &whole).over("tp", 1, &[blocks; 2]),
            down.over("ep", 0, &whole).over("tp", 2, &[blocks]),
            Parameter::new("gate", &[experts, self.hidden], layers),
        ]
    }

    fn latent_attention(&self, q_rank: i64, kv_rank: i64, rope: i64) -> Vec<Parameter> {
        let (hidden, layers, heads) = (self.hidden, self.layers, self.heads);
        let q = Features::new(heads, self.head_dim + rope);
        let kv = Features::new(heads, 2 * self.head_dim);
        let out = Features::new(heads, self.head_dim);
        vec![
            Parameter::new("q_a_proj", &[q_rank, hidden], layers),
            Parameter::new("q_a_norm", &[q_rank], layers),
            Parameter::new("q_b_proj", &[q.size(), q_rank], layers).over("tp", 0, &[q]),
            Parameter::new("kv_a_proj", &[kv_rank + rope, hidden], layers),
            Parameter::new("kv_a_norm", &[kv_rank], layers),
            Parameter::new("kv_b_proj", &[kv.size(), kv_rank], layers).over("tp", 0, &[kv]),
            Parameter::new("o_proj", &[hidden, out.size()], layers).over("tp", 1, &[out]),
        ]
    }

    fn gpt2(&self, positions: i64) -> Vec<Parameter> {
        let (n, layers) = (self.hidden, self.layers);
        let (heads, wide) =
            (Features::new(self.heads, self.head_dim), Features::new(self.width, 1));
        let (all, width) = (heads.size(), self.width);
        vec![
            Parameter::new("wpe", &[positions, n], 1),
            Parameter::new("c_attn", &[n, 3 * all], layers).over("tp", 1, &[heads; 3]),
            Parameter::new("c_attn.bias", &[3 * all], layers).over("tp", 0, &[heads; 3]),
            Parameter::new("attn.c_proj", &[all, n], layers).over("tp", 0, &[heads]),
            Parameter::new("c_fc", &[n, width], layers).over("tp", 1, &[wide]),
            Parameter::new("c_fc.bias", &[width], layers).over("tp", 0, &[wide]),
            Parameter::new("mlp.c_proj", &[width, n], layers).over("tp", 0, &[wide]),
            // Biases of outputs that are summed over ranks, and both halves of norms.
            Parameter::new("bias, norm", &[n], 2 + 6 * layers),
        ]
    }

    fn unfused(&self) -> Vec<Parameter> {
        let ([q, kv], wide) = (self.heads(), self.blocks(self.width));
        let (hidden, layers) = (self.hidden, self.layers);
        vec![
            Parameter::new("q_proj", &[q.size(), hidden], layers).over("tp", 0, &[q]),
            Parameter::new("k_proj, v_proj", &[kv.size(), hidden], 2 * layers).over("tp", 0, &[kv]),
            Parameter::new("o_proj", &[hidden, q.size()], layers).over("tp", 1, &[q]),
            Parameter::new("gate_proj, up_proj", &[self.width, hidden], 2 * layers).over(
                "tp",
                0,
                &[wide],
            ),
            Parameter::new("down_proj", &[hidden, self.width], layers).over("tp", 1, &[wide]),
        ]
    }
}
