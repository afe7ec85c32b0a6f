// A compiled Stan model as functions that Python calls through ctypes: the log density with its gradient as bridgestan gives it,
// and the samplers that CmdStan runs (stan::services). MODEL_FILE is the C++ that stanc made.
#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include MODEL_FILE
#include <stan/callbacks/interrupt.hpp>
#include <stan/callbacks/logger.hpp>
#include <stan/callbacks/structured_writer.hpp>
#include <stan/callbacks/writer.hpp>
#include <stan/io/empty_var_context.hpp>
#include <stan/io/json/json_data.hpp>
#include <stan/model/log_prob_grad.hpp>
#include <stan/services/experimental/advi/meanfield.hpp>
#include <stan/services/sample/hmc_nuts_diag_e_adapt.hpp>
#include <stan/services/util/create_unit_e_diag_inv_metric.hpp>

using Model = stan_model;

namespace {

// Keeps the last columns of each row, which are the parameters: what stands before them is about the sampler.
struct Rows : stan::callbacks::writer {
  std::size_t width;
  double* out;
  std::size_t left;
  Rows(std::size_t width, double* out, std::size_t rows) : width(width), out(out), left(rows) {}
  void operator()(const std::vector<double>& state) override {
    if (left == 0) return;
    std::copy(state.end() - width, state.end(), out);
    out += width;
    --left;
  }
  using stan::callbacks::writer::operator();
};

// Messages that say at which iteration ADVI stopped, and anything that went wrong.
struct Log : stan::callbacks::logger {
  std::ostringstream text;
  void info(const std::string& message) override { text << message << '\n'; }
  void info(const std::stringstream& message) override { text << message.str() << '\n'; }
  void warn(const std::string& message) override { text << message << '\n'; }
  void error(const std::string& message) override { text << message << '\n'; }
};

}  // namespace

extern "C" {

void* model_new(const char* data_file) {
  std::ifstream in(data_file);
  stan::json::json_data data(in);
  return new Model(data, 1, nullptr);
}

int model_dim(void* model) { return static_cast<int>(static_cast<Model*>(model)->num_params_r()); }

// Names of the parameters and transformed parameters, one a line, as in theta.1.
int model_names(void* model, char* out, int size) {
  std::vector<std::string> names;
  static_cast<Model*>(model)->constrained_param_names(names, true, true);
  std::string text;
  for (const auto& name : names) text += name + "\n";
  if (static_cast<int>(text.size()) >= size) return -1;
  std::copy(text.begin(), text.end(), out);
  out[text.size()] = 0;
  return static_cast<int>(names.size());
}

double log_density_gradient(void* model, const double* at, double* gradient) {
  const Model& m = *static_cast<Model*>(model);
  const auto dim = static_cast<Eigen::Index>(m.num_params_r());
  static thread_local Eigen::VectorXd u, g;
  u = Eigen::Map<const Eigen::VectorXd>(at, dim);
  const double value = stan::model::log_prob_grad<true, true>(m, u, g, nullptr);
  std::copy(g.data(), g.data() + dim, gradient);
  return value;
}

// The same at each of `count` points, `times` times: what calls cost without a host language.
double many(void* model, const double* points, int count, int times) {
  const Model& m = *static_cast<Model*>(model);
  const auto dim = static_cast<Eigen::Index>(m.num_params_r());
  Eigen::VectorXd u, g;
  double sum = 0;
  for (int i = 0; i < times; ++i)
    for (int p = 0; p < count; ++p) {
      u = Eigen::Map<const Eigen::VectorXd>(points + p * dim, dim);
      sum += stan::model::log_prob_grad<true, true>(m, u, g, nullptr);
    }
  return sum;
}

// One chain with CmdStan's defaults; draws [draws, width], row by row.
int nuts(void* model, unsigned seed, unsigned chain, int warm_up, int draws, int width, double* out) {
  Model& m = *static_cast<Model*>(model);
  stan::io::empty_var_context initial;
  auto metric = stan::services::util::create_unit_e_diag_inv_metric(m.num_params_r());
  stan::callbacks::interrupt interrupt;
  stan::callbacks::logger logger;
  stan::callbacks::writer nothing;
  stan::callbacks::structured_writer no_metric;
  Rows rows(width, out, draws);
  return stan::services::sample::hmc_nuts_diag_e_adapt(
      m, initial, metric, seed, chain, 2.0, warm_up, draws, 1, false, 0, 1.0, 0.0, 10, 0.8, 0.05, 0.75, 10.0, 75, 50, 25,
      interrupt, logger, nothing, rows, nothing, no_metric);
}

// Mean-field ADVI with CmdStan's defaults. The first row is the mean of q, constrained; then `draws` draws of q.
int advi(void* model, unsigned seed, double tolerance, int draws, int width, double* out, char* log, int log_size) {
  Model& m = *static_cast<Model*>(model);
  stan::io::empty_var_context initial;
  stan::callbacks::interrupt interrupt;
  Log logger;
  stan::callbacks::writer nothing;
  Rows rows(width, out, draws + 1);
  const int code = stan::services::experimental::advi::meanfield(
      m, initial, seed, 1, 2.0, 1, 100, 10000, tolerance, 1.0, true, 50, 100, draws, interrupt, logger, nothing, rows, nothing);
  const std::string text = logger.text.str();
  const auto kept = std::min<std::size_t>(text.size(), log_size - 1);
  std::copy(text.end() - kept, text.end(), log);
  log[kept] = 0;
  return code;
}

}  // extern "C"
